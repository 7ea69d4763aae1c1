"""L-BFGS of many independent minimisations in lockstep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MEMORY = 10
"""Number of stored pairs of steps and gradient changes; more pairs save no steps in cells of about ten
atoms."""
FIRST_INVERSE_STIFFNESS_A2_PER_EV = 1 / 30
"""Inverse curvature for the first step, before any is known; an atom in a metal has about 1/5 to 1/20."""
LEAST_CURVATURE = 1e-10
"""Pairs with s·y below this fraction of |s||y| carry no information about a minimum and are left out."""


class BatchLBFGS:
    """Directions of steepest descent in the metric of past steps (Nocedal and Wright, Numerical Optimization,
    2006, algorithm 7.4), for n functions whose variables lie behind one another in flat vectors.

    Parameters
    ----------
    lengths : (n,) int
        Variables of each function.
    """

    def __init__(self, lengths: NDArray[np.int64]) -> None:
        self._lengths = lengths
        self._starts = np.cumsum(lengths) - lengths
        self._steps = np.zeros((MEMORY, int(lengths.sum())))
        self._changes = np.zeros_like(self._steps)
        self._inverse_curvatures = np.zeros((MEMORY, len(lengths)))
        self._scale = np.full(len(lengths), FIRST_INVERSE_STIFFNESS_A2_PER_EV)
        self._newest = 0

    def only(self, keep: NDArray[np.bool_]) -> None:
        """Forget the functions where `keep` (n,) is false."""
        variables = np.flatnonzero(np.repeat(keep, self._lengths))
        self._steps = np.take(self._steps, variables, axis=1)
        self._changes = np.take(self._changes, variables, axis=1)
        self._inverse_curvatures = self._inverse_curvatures[:, keep]
        self._scale = self._scale[keep]
        self._set_lengths(self._lengths[keep])

    def join(self, lengths: NDArray[np.int64]) -> None:
        """Add functions, without a history, behind the present ones."""
        new = BatchLBFGS(lengths)
        self._steps = np.concatenate([self._steps, new._steps], axis=1)
        self._changes = np.concatenate([self._changes, new._changes], axis=1)
        self._inverse_curvatures = np.concatenate([self._inverse_curvatures, new._inverse_curvatures], axis=1)
        self._scale = np.concatenate([self._scale, new._scale])
        self._set_lengths(np.concatenate([self._lengths, lengths]))

    def _set_lengths(self, lengths: NDArray[np.int64]) -> None:
        self._lengths = lengths
        self._starts = np.cumsum(lengths) - lengths

    def learn(self, step: Array, change: Array) -> None:
        """Store a step and the change of the gradient along it; pairs without positive curvature are left
        out."""
        curvature = self._dot(step, change)
        square = self._dot(change, change)
        useful = curvature > LEAST_CURVATURE * np.sqrt(square * self._dot(step, step))
        useful &= np.isfinite(square)
        self._newest = (self._newest + 1) % MEMORY
        spread = np.repeat(useful, self._lengths)
        self._steps[self._newest] = np.where(spread, step, 0.0)
        self._changes[self._newest] = np.where(spread, change, 0.0)
        inverse = np.zeros(len(useful))
        np.divide(1.0, curvature, out=inverse, where=useful)
        self._inverse_curvatures[self._newest] = inverse
        np.divide(curvature, square, out=self._scale, where=useful)

    def direction(self, gradient: Array) -> Array:
        """The step to the estimated minimum, downhill."""
        direction = -gradient
        newest_first = [(self._newest - age) % MEMORY for age in range(MEMORY)]
        weights = np.empty_like(self._inverse_curvatures)
        for k in newest_first:
            weights[k] = self._inverse_curvatures[k] * self._dot(self._steps[k], direction)
            direction -= self.spread(weights[k]) * self._changes[k]
        direction *= self.spread(self._scale)
        for k in reversed(newest_first):
            rest = weights[k] - self._inverse_curvatures[k] * self._dot(self._changes[k], direction)
            direction += self.spread(rest) * self._steps[k]
        return direction

    def spread(self, values: Array) -> Array:
        """Repeat one value per function (n,) for each of its variables."""
        return np.repeat(values, self._lengths)

    def _dot(self, one: Array, other: Array) -> Array:
        return np.add.reduceat(one * other, self._starts)
