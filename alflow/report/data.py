"""What a report is made of: plain numbers, no database and no potential."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

DONE = "done"
NEWEST_ROUNDS = 3


@dataclass(frozen=True)
class RunRecord:
    """One molecular-dynamics run.

    Attributes
    ----------
    history
        Arrays of one length: `step`, `extrapolation_grade`, `temperature_K`, `energy_eV` (potential energy of
        the cell), `volume_A3`, in the order of steps.
    passes
        How often the run was finished and begun anew before.
    """

    name: str
    state: str
    reason: str | None
    ensemble: str
    target_temperature_K: float
    timestep_fs: float
    atoms: int
    step: int
    steps: int
    history: Mapping[str, NDArray[np.float64]]
    passes: int = 0

    @property
    def all_steps(self) -> int:
        """Steps of all passes."""
        return self.passes * self.steps + self.step

    @property
    def time_ps(self) -> NDArray[np.float64]:
        """Simulated time at each entry of the history."""
        return np.asarray(self.history["step"], dtype=float) * self.timestep_fs / 1000

    @property
    def simulated_ps(self) -> float:
        """Simulated time of all passes."""
        return self.all_steps * self.timestep_fs / 1000

    @property
    def later_temperature_K(self) -> tuple[float, float]:
        """Mean and standard deviation of the temperature over the second half; NaN without a history."""
        steps = self.history["step"]
        if len(steps) == 0:
            return float("nan"), float("nan")
        later = self.history["temperature_K"][steps >= (steps[0] + steps[-1]) / 2]
        return float(later.mean()), float(later.std())


@dataclass(frozen=True)
class LabelRecord:
    """One QM label: where its structure came from and how it ended.

    `explorer` and `step` are None for structures that no run found; `level` indexes the levels of theory.
    """

    round: int
    number: int
    state: str
    reason: str | None
    formula: str
    level: int
    explorer: str | None = None
    step: int | None = None
    grade: float | None = None
    attempts: int = 1
    wall_time_s: float | None = None


@dataclass(frozen=True)
class ParitySet:
    """Predicted against labelled values: energies per atom (n,) in eV and force components (k,) in eV/Å."""

    energies: NDArray[np.float64]
    predicted_energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    predicted_forces: NDArray[np.float64]

    @classmethod
    def empty(cls) -> ParitySet:
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
        return _rms(self.predicted_energies - self.energies)

    @property
    def force_rmse_eV_A(self) -> float:
        return _rms(self.predicted_forces - self.forces)


@dataclass(frozen=True)
class VersionRecord:
    """A version of the potential: its training errors, and those on labels it had not yet been trained on.

    `unseen` are the labels of the round after `round`, predicted by this version before it learned them.
    """

    version: int
    round: int
    labels: int
    energy_rmse_eV_per_atom: float
    force_rmse_eV_A: float
    seconds: float
    unseen: ParitySet = field(default_factory=ParitySet.empty)


@dataclass(frozen=True)
class ReportData:
    """Everything that the report shows.

    Attributes
    ----------
    cost_s
        Wall time by role: `label` and `train`, and `explore` for all that the tasks did besides.
    trained
        The newest potential on the labels that it was trained on.
    levels
        Each level of theory that occurs among the labels.
    config
        The campaign file, as resolved.
    software
        Name → version.
    """

    campaign: str
    state: str
    reason: str | None
    rounds: int
    began: datetime
    ended: datetime | None
    species: Sequence[str]
    gamma_save: float
    gamma_break: float
    runs: Sequence[RunRecord]
    labels: Sequence[LabelRecord]
    versions: Sequence[VersionRecord]
    trained: ParitySet
    cost_s: Mapping[str, float]
    levels: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]
    software: Mapping[str, str]

    @property
    def unseen(self) -> ParitySet:
        """All labels, each predicted before it was trained on."""
        return ParitySet.joined([version.unseen for version in self.versions])

    @property
    def newest_unseen(self) -> ParitySet:
        """The labels of the last rounds that brought any, each predicted before it was trained on."""
        judged = [version.unseen for version in self.versions if version.unseen.energies.size]
        return ParitySet.joined(judged[-NEWEST_ROUNDS:])

    @property
    def steps(self) -> int:
        """Molecular-dynamics steps of all runs."""
        return sum(run.all_steps for run in self.runs)

    @property
    def qm_calls(self) -> int:
        """Labels that were computed, whether accepted or not."""
        return sum(label.state not in ("waiting", "running") for label in self.labels)

    @property
    def headline(self) -> str:
        """One line on what came out."""
        return f"{self.campaign}, {self.state}, round {self.rounds}, {self.qm_calls} QM calls"

    def summary(self) -> dict[str, Any]:
        """What came out, in plain values."""
        return {
            "state": self.state,
            "reason": self.reason,
            "rounds": self.rounds,
            "steps": self.steps,
            "labels": self.label_states,
            "train_force_rmse_eV_A": self.trained.force_rmse_eV_A,
            "train_energy_rmse_eV_per_atom": self.trained.energy_rmse_eV_per_atom,
            "unseen_force_rmse_eV_A": self.newest_unseen.force_rmse_eV_A,
            "unseen_energy_rmse_eV_per_atom": self.newest_unseen.energy_rmse_eV_per_atom,
            "cost_s": self.cost_s,
        }

    @property
    def label_states(self) -> dict[str, int]:
        """Number of labels by state."""
        return dict(Counter(label.state for label in self.labels))

    @property
    def label_problems(self) -> list[tuple[str, str, int]]:
        """State, reason and number of the labels that were not accepted, most frequent first."""
        found = Counter((label.state, label.reason or "") for label in self.labels if label.reason)
        return [(state, reason, count) for (state, reason), count in found.most_common()]


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")
