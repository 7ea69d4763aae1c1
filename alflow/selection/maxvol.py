"""Rows of a tall matrix whose square submatrix has a (nearly) maximal determinant: MAXVOL.

Goreinov, Oseledets, Savostyanov, Tyrtyshnikov and Zamarashkin, "How to find a good submatrix", in Matrix
Methods (2010), doi 10.1142/9789812836021_0015. If A holds the chosen rows, C = rows · A⁻¹ gives, for every
row and every place in A, the factor by which |det A| grows if the row takes that place. The algorithm swaps
where the factor is largest until no factor exceeds one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular

Rows = NDArray[np.float64]

SWAP_TOLERANCE = 1e-3
"""A swap must raise |det| by this fraction at least (MLIP-3 uses the same)."""
BLOCK_SIZE = 1024
"""Rows whose coefficients are held at once: large enough for matrix products, small enough for the cache."""
WORKING_SET = 2048
"""Number of rows with the largest grades that are considered between two sweeps over all rows."""
SAMPLE_PER_COLUMN = 64
"""Rows per column in the sample that shows how far rows reach. With fewer, ln |det| of the start is a few
tenths smaller."""
SHORTEST_REACH = 1e-12
"""Relative to the largest number among the rows; smaller lengths may be rounding errors."""


@dataclass(frozen=True)
class MaxvolResult:
    """Outcome of `maxvol`.

    Attributes
    ----------
    indices : (r,) int
        The chosen rows, in the order of the columns of `inverse`.
    inverse : (r, r)
        Inverse of `rows[indices]`.
    log_volume : float
        ln |det rows[indices]|.
    swaps : int
        Rows exchanged after the start.
    """

    indices: NDArray[np.intp]
    inverse: Rows
    log_volume: float
    swaps: int


def maxvol(
    rows: Rows, *, start: NDArray[np.intp] | None = None, tolerance: float = SWAP_TOLERANCE
) -> MaxvolResult:
    """Choose r of n rows with a nearly maximal |det|.

    Afterwards every row is a combination of the chosen ones with coefficients of at most 1 + `tolerance` in
    magnitude. Sweeps over all rows are matrix products; between sweeps the rows with the largest coefficients
    are exchanged by rank-1 updates of the inverse, O(r²) each, and the inverse is computed afresh after each
    sweep. To go on from an active set, or to stream rows, stack the active rows on the new ones and start
    from them.

    Parameters
    ----------
    rows : (n, r)
        n ≥ r, of full column rank.
    start : (r,) int, optional
        Rows to start from; by default those that QR with pivoting takes.
    tolerance : float
        Rows are exchanged only if |det| grows by more than this fraction.

    Raises
    ------
    ValueError
        If there are fewer rows than columns, a number is not finite or the rows to start from are linearly
        dependent.
    """
    rows = np.ascontiguousarray(rows, dtype=float)
    if rows.ndim != 2 or rows.shape[0] < rows.shape[1]:
        raise ValueError(f"maxvol needs at least as many rows as columns, not a matrix of shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError("maxvol needs finite rows")
    indices = pivot_rows(rows) if start is None else np.array(start, dtype=np.intp)
    best = _result(rows, indices, swaps=0)
    while True:
        inverse = best.inverse.copy()
        working = _most_extrapolative(rows, inverse, 1 + tolerance)
        # The chosen rows have coefficients of one. Any deviation is rounding, which must not cause a swap.
        working = np.setdiff1d(working, indices)
        swaps = _exchange(rows[working], working, indices, inverse, 1 + tolerance)
        if not swaps:
            return best
        better = _result(rows, indices, best.swaps + swaps)
        # Every swap raises the volume unless rounding decides it. In that case no gain is left.
        if better.log_volume <= best.log_volume:
            return best
        best = better


def pivot_rows(rows: Rows) -> NDArray[np.intp]:
    """The r rows that QR with pivoting takes, (r,): each adds the largest volume to those before it.

    This start is better than Gaussian elimination with pivoting: the final volume is larger by 2 to 8 % per
    dimension. A row adds its length in the complement of the rows chosen so far; this length only shrinks. So
    the next rows are sought among the `WORKING_SET` longest, until one of the other rows might be longer.
    """
    rank = rows.shape[1]
    chosen = np.empty(0, np.intp)
    scaling = complement = _equal_reach(rows)
    while len(chosen) < rank:
        lengths = _by_blocks(_lengths, rows, complement)
        longest, others = _largest(lengths)
        bound = lengths[others].max(initial=0.0)
        triangle, order = qr((rows[longest] @ complement).T, mode="r", pivoting=True, check_finite=False)
        certain = (np.abs(triangle.diagonal()) >= bound).cumprod().sum()
        chosen = np.concatenate([chosen, longest[order[: max(1, certain)]]])
        complement = scaling @ qr((rows[chosen] @ scaling).T, check_finite=False)[0][:, len(chosen) :]
    return chosen


def _equal_reach(rows: Rows) -> Rows:
    """Coordinates (r, r) in which a sample of the rows reaches equally far in all directions.

    The volume does not depend on coordinates, but the choice of QR does: from neighborhoods of a crystal it
    chooses a seven times larger volume in these coordinates, in a quarter of the sweeps. Directions that the
    sample does not span are not stretched beyond `SHORTEST_REACH`.
    """
    rank = rows.shape[1]
    sample = rows[:: max(1, len(rows) // (SAMPLE_PER_COLUMN * rank))]
    floor = SHORTEST_REACH * (np.abs(sample).max() or 1.0) * np.eye(rank)
    triangle = qr(np.vstack([sample, floor]), mode="r", check_finite=False)[0][:rank]
    return np.asarray(solve_triangular(triangle, np.eye(rank), check_finite=False))


def grades(rows: Rows, inverse: Rows) -> NDArray[np.float64]:
    """γ = max_j |(rows · inverse)_j|, shape (n,); infinite where a row is not finite."""
    coefficients = rows @ inverse
    gamma: NDArray[np.float64] = np.abs(coefficients, out=coefficients).max(axis=1, initial=0.0)
    gamma[np.isnan(gamma)] = np.inf
    return gamma


def _result(rows: Rows, indices: NDArray[np.intp], swaps: int) -> MaxvolResult:
    active = rows[indices]
    log_volume = float(np.linalg.slogdet(active)[1])
    if log_volume == -np.inf:
        raise ValueError("maxvol needs rows of full column rank and a start that is not singular")
    inverse = np.asarray(np.linalg.inv(active), dtype=np.float64)
    return MaxvolResult(indices.copy(), inverse, log_volume, swaps)


def _by_blocks(
    measure: Callable[[Rows, Rows], NDArray[np.float64]], rows: Rows, matrix: Rows
) -> NDArray[np.float64]:
    """`measure(rows, matrix)`, (n,), without intermediate results larger than the cache."""
    return np.concatenate(
        [measure(rows[begin : begin + BLOCK_SIZE], matrix) for begin in range(0, len(rows), BLOCK_SIZE)]
    )


def _lengths(rows: Rows, matrix: Rows) -> NDArray[np.float64]:
    transformed = rows @ matrix
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", transformed, transformed)))


def _largest(values: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of the `WORKING_SET` largest values, the largest first, and all other indices."""
    if len(values) > WORKING_SET:
        first, others = np.split(np.argpartition(-values, WORKING_SET), [WORKING_SET])
    else:
        first, others = np.arange(len(values)), np.empty(0, np.intp)
    return first[np.argsort(-values[first], kind="stable")], others


def _most_extrapolative(rows: Rows, inverse: Rows, limit: float) -> NDArray[np.intp]:
    """Indices of the `WORKING_SET` rows with the largest grades, none if no grade is above `limit`."""
    gamma = _by_blocks(grades, rows, inverse)
    return _largest(gamma)[0] if gamma.max() > limit else np.empty(0, np.intp)


def _exchange(
    block: Rows, names: NDArray[np.intp], indices: NDArray[np.intp], inverse: Rows, limit: float
) -> int:
    """Swap rows of `block` into the active set until no swap enlarges the volume by more than `limit`.

    `indices` and `inverse` are changed in place. At most r swaps are done, because rounding errors add up in
    the updates.
    """
    if not len(block):
        return 0
    coefficients = block @ inverse
    for swap in range(len(inverse)):
        row, place = divmod(int(np.abs(coefficients).argmax()), coefficients.shape[1])
        growth = coefficients[row, place]
        if abs(growth) <= limit:
            return swap
        change = coefficients[row] / growth
        change[place] = 1 - 1 / growth
        inverse -= np.outer(inverse[:, place], change)
        coefficients -= np.outer(coefficients[:, place], change)
        indices[place] = names[row]
    return len(inverse)
