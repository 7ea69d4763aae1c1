"""Versions of a campaign's potential, and how they compare with the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NEWEST_ROUNDS = 3


@dataclass(frozen=True)
class ParitySet:
    """Predicted against labelled values: energies per atom (n,) in eV and force components (k,) in eV/Å."""

    energies: NDArray[np.float64]
    predicted_energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    predicted_forces: NDArray[np.float64]

    @classmethod
    def empty(cls) -> ParitySet:
        """No structure."""
        return cls(*(np.zeros(0) for _ in range(4)))

    @classmethod
    def joined(cls, parts: Sequence[ParitySet]) -> ParitySet:
        """One set of all parts."""
        names = ("energies", "predicted_energies", "forces", "predicted_forces")
        return cls(
            *(np.concatenate([np.zeros(0), *(getattr(part, name) for part in parts)]) for name in names)
        )

    @property
    def energy_rmse_eV_per_atom(self) -> float:
        """Root-mean-square error of the energies; NaN if there is no structure."""
        return _rms(self.predicted_energies - self.energies)

    @property
    def force_rmse_eV_A(self) -> float:
        """Root-mean-square error of the force components; NaN if there is no structure."""
        return _rms(self.predicted_forces - self.forces)


@dataclass(frozen=True)
class VersionRecord:
    """A version of the potential: its training errors, and those on labels that it was not yet trained on.

    Attributes
    ----------
    version
    round
        The round that ended with it.
    labels
        Number of labels that it was trained on.
    energy_rmse_eV_per_atom, force_rmse_eV_A
        Training errors.
    fit_s
        Wall time of the fit.
    kind
        Kind of potential.
    stage
        Stage of a screening that it is of, from 0.
    unseen
        The labels between this version and the next, predicted by this version before any was trained on.
    """

    version: int
    round: int
    labels: int
    energy_rmse_eV_per_atom: float
    force_rmse_eV_A: float
    fit_s: float
    kind: str = "mtp"
    stage: int = 0
    unseen: ParitySet = field(default_factory=ParitySet.empty)


def all_unseen(versions: Sequence[VersionRecord]) -> ParitySet:
    """All labels, each predicted before it was trained on."""
    return ParitySet.joined([version.unseen for version in versions])


def newest_unseen(versions: Sequence[VersionRecord]) -> ParitySet:
    """The labels of the last rounds that brought any, each predicted before it was trained on."""
    judged = [version.unseen for version in versions if version.unseen.energies.size]
    return ParitySet.joined(judged[-NEWEST_ROUNDS:])


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")
