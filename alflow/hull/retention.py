"""Choice of the candidates that a potential of known error cannot rule out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

CONFIDENCE = 0.9
"""Probability, for normal errors, that σ is not larger than its bound."""


def sigma_of(errors_eV: ArrayLike) -> float:
    """Upper bound of the error σ, eV per atom, from errors of held-out structures.

    The bound is the root mean square of the n errors (the mean is not subtracted) times a factor for the
    finite sample: for normal errors n·rms²/σ² has a χ² distribution with n degrees of freedom. The factor is
    1.2 at n = 30.

    Parameters
    ----------
    errors_eV : (n,)
        Predicted minus computed formation energies, per atom. Without errors σ is infinite: no candidate can
        be ruled out.
    """
    if not np.size(errors_eV):
        return math.inf
    squares = np.square(np.asarray(errors_eV, dtype=float))
    quantile = 2 * gammaincinv(len(squares) / 2, 1 - CONFIDENCE)  # of χ²; scipy.stats takes a second to load
    return float(np.sqrt(squares.sum() / quantile))


def retained(distances_eV: ArrayLike, sigma_eV: float, k: float, window_eV: float = 0.0) -> NDArray[np.bool_]:
    """Whether candidates at these distances may be within `window_eV` of the hull, (n,): distances up to
    `window_eV` + kσ are kept."""
    return np.asarray(distances_eV) <= window_eV + k * sigma_eV


def reason_to_drop(distance_eV: float, sigma_eV: float, k: float, window_eV: float = 0.0) -> str:
    """Reason to rule out a candidate, as text."""
    window = f"{window_eV:g} + " if window_eV else ""
    return f"{distance_eV:.4g} eV/atom above the hull, beyond {window}{k:g}σ = {window_eV + k * sigma_eV:.4g}"
