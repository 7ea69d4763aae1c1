from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from motep.grade.maxvol import MaxVol
from numpy.typing import NDArray

from alflow.selection import maxvol
from alflow.selection.maxvol import SWAP_TOLERANCE, grades

Matrix = NDArray[np.float64]


def random_rows(seed: int, count: int, rank: int, decades: float = 0.0) -> Matrix:
    """Normal random rows whose columns differ in size by `decades` powers of ten, mixed."""
    rng = np.random.default_rng(seed)
    scaled = rng.normal(size=(count, rank)) * np.logspace(0, -decades, rank)
    return scaled @ np.linalg.qr(rng.normal(size=(rank, rank)))[0]


def like_volume(log_volume: float, rank: int) -> object:
    """What MAXVOL may find from another start: other local maxima lie within some percent a dimension."""
    return pytest.approx(log_volume, abs=0.1 * rank)


def largest_volume(rows: Matrix) -> float:
    rank = rows.shape[1]
    return max(abs(np.linalg.det(rows[list(some)])) for some in combinations(range(len(rows)), rank))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), rank=st.integers(1, 4), more=st.integers(0, 5))
def test_volume_is_near_the_largest_of_all_submatrices(seed: int, rank: int, more: int) -> None:
    rows = random_rows(seed, rank + more, rank)
    result = maxvol(rows)
    volume = abs(np.linalg.det(rows[result.indices]))
    assert result.log_volume == pytest.approx(np.log(volume), abs=1e-9)
    # Goreinov et al. 2010: where no coefficient exceeds one, |det| is at most r^(r/2) from the largest.
    assert largest_volume(rows) * (1 - 1e-9) <= volume * ((1 + SWAP_TOLERANCE) * np.sqrt(rank)) ** rank


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), rank=st.integers(1, 5), more=st.integers(0, 6))
def test_no_single_swap_gains_more_than_the_tolerance(seed: int, rank: int, more: int) -> None:
    rows = random_rows(seed, rank + more, rank)
    indices = maxvol(rows).indices
    volume = abs(np.linalg.det(rows[indices]))
    for place in range(rank):
        for row in range(len(rows)):
            swapped = indices.copy()
            swapped[place] = row
            assert abs(np.linalg.det(rows[swapped])) <= volume * (1 + SWAP_TOLERANCE + 1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), decades=st.floats(0, 8))
def test_chosen_rows_have_grade_one_and_no_row_more(seed: int, decades: float) -> None:
    rows = random_rows(seed, 300, 20, decades)
    result = maxvol(rows)
    assert len(set(result.indices)) == 20
    np.testing.assert_allclose(rows[result.indices] @ result.inverse, np.eye(20), atol=1e-6)
    assert grades(rows, result.inverse).max() <= 1 + SWAP_TOLERANCE + 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_order_of_rows_hardly_matters(seed: int) -> None:
    rows = random_rows(seed, 2000, 15)
    shuffled = rows[np.random.default_rng(seed).permutation(len(rows))]
    assert maxvol(shuffled).log_volume == like_volume(maxvol(rows).log_volume, 15)


def test_linear_reparametrisation_keeps_the_choice() -> None:
    rows = random_rows(1, 500, 12)
    result = maxvol(rows)
    other = rows @ random_rows(2, 12, 12)
    again = maxvol(other, start=result.indices)
    assert again.swaps == 0
    np.testing.assert_allclose(other @ again.inverse, rows @ result.inverse, atol=1e-9)


def test_streaming_blocks_gives_a_maximal_volume_too() -> None:
    rows = random_rows(3, 3000, 20)
    active = rows[maxvol(rows[:100]).indices]
    for block in np.split(rows[100:], 29):
        candidates = np.vstack([active, block])
        result = maxvol(candidates, start=np.arange(20))
        active = candidates[result.indices]
    whole = maxvol(rows)
    assert np.linalg.slogdet(active)[1] == like_volume(whole.log_volume, 20)
    assert np.linalg.slogdet(active)[1] > maxvol(rows[:100]).log_volume


def test_starting_from_a_poor_choice_refreshes_the_inverse_on_the_way() -> None:
    rows = random_rows(4, 4000, 30) * np.logspace(-6, 6, 4000)[:, None]
    result = maxvol(rows, start=np.arange(30))
    assert result.swaps > 30
    np.testing.assert_allclose(rows[result.indices] @ result.inverse, np.eye(30), atol=1e-9)
    assert grades(rows, result.inverse).max() <= 1 + SWAP_TOLERANCE


@pytest.mark.parametrize("seed", range(3))
def test_motep_finds_nothing_to_improve_and_leaves_nothing(seed: int) -> None:
    rows = random_rows(seed, 1000, 25, decades=3)
    own, peer = maxvol(rows), MaxVol(threshold=SWAP_TOLERANCE).run(rows)
    assert maxvol(rows, start=peer.indices).swaps == 0
    assert own.log_volume == like_volume(np.linalg.slogdet(peer.submatrix)[1], 25)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.ones((2, 3)), "as many rows as columns"),
        (np.full((4, 2), np.nan), "finite"),
        (np.ones((4, 2)), "full column rank"),
    ],
)
def test_impossible_input_is_refused(rows: Matrix, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        maxvol(rows)


def test_rows_that_are_not_finite_have_an_infinite_grade() -> None:
    assert grades(np.array([[np.nan, 0.0], [1.0, 0.5]]), np.eye(2)).tolist() == [np.inf, 1.0]
