"""Errors of a potential on a sample of a population of structures, with confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.stats import t as student_t

from alflow.potentials.predictions import predict

if TYPE_CHECKING:
    from alflow.potentials.protocol import Potential

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval; NaN for what is not known."""

    value: float
    low: float
    high: float

    def in_words(self, factor: float = 1.0) -> str:
        """The value, times a factor for the unit, and its interval: ``0.041 (0.036–0.047)``."""
        value, low, high = (_digits(factor * number) for number in (self.value, self.low, self.high))
        return f"{value} ({low}–{high})" if math.isfinite(self.low) else value


@dataclass(frozen=True)
class EstimatedErrors:
    """Root-mean-square and mean absolute errors of a population, from a random sample of it.

    Attributes
    ----------
    frames
        Number of structures of the sample.
    energy_rmse_eV_per_atom, energy_mae_eV_per_atom
    force_rmse_eV_A, force_mae_eV_A
        Per component.
    stress_rmse_eV_A3, stress_mae_eV_A3
        Per component; NaN if no structure has a stress.
    """

    frames: int
    energy_rmse_eV_per_atom: Estimate
    energy_mae_eV_per_atom: Estimate
    force_rmse_eV_A: Estimate
    force_mae_eV_A: Estimate
    stress_rmse_eV_A3: Estimate
    stress_mae_eV_A3: Estimate

    def as_dict(self) -> dict[str, Any]:
        """Plain values: ``{"frames": 24, "force_rmse_eV_A": {"value": …, "low": …, "high": …}, …}``.

        Numbers that are not known are None.
        """
        plain: dict[str, Any] = asdict(self)
        for value in plain.values():
            if isinstance(value, dict):
                value |= {key: number if math.isfinite(number) else None for key, number in value.items()}
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> EstimatedErrors:
        """Undo `as_dict`."""
        names = [field.name for field in fields(cls) if field.name != "frames"]
        estimates = {
            name: Estimate(*(math.nan if plain[name][key] is None else plain[name][key] for key in ENDS))
            for name in names
        }
        return cls(frames=plain["frames"], **estimates)


ENDS = ("value", "low", "high")


def estimate_errors(
    potential: Potential, structures: Sequence[Atoms], weights: Sequence[float], *, threads: int = 1
) -> EstimatedErrors:
    """Errors of a potential in the population from which these labelled structures were drawn.

    Parameters
    ----------
    structures
        At least one structure, with labels.
    weights
        Share of the population for which each structure stands, such as the inverse of the probability
        with which it was drawn. Their sum has no meaning.

    Raises
    ------
    InputError
        If a structure has no label or the potential lacks a species.
    """
    energy_errors: list[tuple[int, NDArray[np.float64]]] = []
    force_errors: list[tuple[int, NDArray[np.float64]]] = []
    stress_errors: list[tuple[int, NDArray[np.float64]]] = []
    for i, found in enumerate(predict(potential, structures, threads=threads)):
        label = found.labels
        if label.energy is not None:
            energy_errors.append((i, np.atleast_1d((found.energy - label.energy) / len(found.atoms))))
        if label.forces is not None:
            force_errors.append((i, found.forces - label.forces))
        if label.virial is not None:
            stress_errors.append((i, (found.virial - label.virial) / found.atoms.get_volume()))
    weight = np.asarray(weights, dtype=float)
    estimates: list[Estimate] = []
    for known in (energy_errors, force_errors, stress_errors):
        errors = [error for _, error in known]
        chosen = weight[[frame for frame, _ in known]]
        counts = np.array([error.size for error in errors], dtype=float)
        squares = estimated_mean(np.array([np.sum(error**2) for error in errors]), counts, chosen)
        estimates.append(Estimate(*(math.sqrt(getattr(squares, end)) for end in ENDS)))
        estimates.append(
            estimated_mean(np.array([np.sum(np.abs(error)) for error in errors]), counts, chosen)
        )
    return EstimatedErrors(len(structures), *estimates)


def estimated_mean(
    sums: NDArray[np.float64], counts: NDArray[np.float64], weights: NDArray[np.float64]
) -> Estimate:
    """Mean of a positive quantity over all components of a population of frames, with its interval.

    The frames are drawn independently of each other, and the components of a frame depend on each other. The
    mean is the ratio of two weighted sums (Hájek's estimator). Its standard error follows from the
    residuals of the frames (Cochran, Sampling Techniques, 1977, section 6.4); the interval is Student's on
    the logarithm, with as many degrees of freedom as equally weighted frames of the same precision would
    have. For squared errors of 10 to 50 frames such an interval covers the true value more often than the
    bootstrap's (percentiles or BCa), and nearer to 95 %; `tests/potentials/test_estimates.py` counts it.

    Parameters
    ----------
    sums, counts : (n,)
        Sum of the quantity over the components of each frame, and their number.
    weights : (n,)
    """
    if not sums.size:
        return Estimate(math.nan, math.nan, math.nan)
    total = float(weights @ counts)
    mean = float(weights @ sums) / total
    alike = float(weights.sum() ** 2 / (weights**2).sum())
    if sums.size == 1 or alike <= 1.0:
        return Estimate(mean, math.nan, math.nan)
    residuals = weights * (sums - mean * counts)
    deviation = math.sqrt(float(residuals @ residuals) * sums.size / (sums.size - 1)) / total
    if deviation <= 1e-12 * mean or mean == 0.0:
        return Estimate(mean, mean, mean)
    half = float(student_t.ppf((1 + CONFIDENCE) / 2, alike - 1)) * deviation / mean
    # So few frames that nothing is known: an exponent that no float holds.
    return Estimate(mean, mean * math.exp(-half), mean * math.exp(half) if half < 500 else math.inf)


def _digits(number: float) -> str:
    return f"{number:#.2g}" if abs(number) < 0.995 else f"{number:.3g}"
