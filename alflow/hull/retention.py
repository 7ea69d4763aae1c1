"""Which candidates a potential of known error can rule out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

CONFIDENCE = 0.9
"""That σ is not larger than its bound, for normal errors."""


def sigma_of(errors_eV: ArrayLike) -> float:
    """Upper bound of the error σ, eV per atom, from errors of held-out structures.

    The root mean square of n errors, their mean included, is raised by what n errors may have missed: for
    normal ones n·rms²/σ² has a χ² distribution of n degrees of freedom. At n = 30 that is a factor of 1.2.

    Parameters
    ----------
    errors_eV : (n,)
        Predicted less computed formation energies, per atom. Without any σ is infinite: nothing can be ruled
        out.
    """
    if not np.size(errors_eV):
        return math.inf
    squares = np.square(np.asarray(errors_eV, dtype=float))
    quantile = 2 * gammaincinv(len(squares) / 2, 1 - CONFIDENCE)  # of χ²; scipy.stats takes a second to load
    return float(np.sqrt(squares.sum() / quantile))


def retained(distances_eV: ArrayLike, sigma_eV: float, k: float, window_eV: float = 0.0) -> NDArray[np.bool_]:
    """Whether candidates at these distances may be within `window_eV` of the hull: up to kσ more, (n,)."""
    return np.asarray(distances_eV) <= window_eV + k * sigma_eV


def reason_to_drop(distance_eV: float, sigma_eV: float, k: float, window_eV: float = 0.0) -> str:
    """Why a candidate is ruled out, as text."""
    window = f"{window_eV:g} + " if window_eV else ""
    return f"{distance_eV:.4g} eV/atom above the hull, beyond {window}{k:g}σ = {window_eV + k * sigma_eV:.4g}"
