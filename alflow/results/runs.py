"""Runs of explorers: how far they are, what they came to, and what they recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alflow.states import RunState


@dataclass(frozen=True)
class RunRecord:
    """One run of an explorer of any kind.

    Attributes
    ----------
    index
        Its number in the campaign.
    name, kind
    state
    reason
        Why it is paused or failed.
    settings
        The run's settings, as plain values.
    atoms
        Number of atoms of its first structure.
    step, length
        How far it is, and where it ends, in the units of the kind; the length may be unknown.
    progress, whole
        The same in `unit`.
    unit
        Such as ``ps``.
    passes
        How often the run was finished and begun anew before.
    results
        What it came to, with units in the names: ``{"barrier_eV": 0.69}``.
    history
        Arrays of one length, by step: ``step``, ``extrapolation_grade`` and the columns of the kind; empty
        where it was not asked for.
    along
        Progress at each entry of the history, in `unit`.
    """

    index: int
    name: str
    kind: str
    state: RunState
    reason: str | None
    settings: Mapping[str, Any]
    atoms: int
    step: int
    length: int | None
    progress: float
    whole: float | None
    unit: str
    passes: int = 0
    results: Mapping[str, Any] = field(default_factory=dict)
    history: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    along: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def all_steps(self) -> int:
        """Steps of all passes."""
        return self.passes * (self.length or 0) + self.step

    @property
    def all_progress(self) -> float:
        """Progress of all passes, in `unit`."""
        return self.passes * (self.whole or 0.0) + self.progress

    def as_dict(self) -> dict[str, Any]:
        """What a status shows."""
        return {
            "name": self.name,
            "kind": self.kind,
            "state": str(self.state),
            "step": self.step,
            "steps": self.length,
            "progress": self.progress,
            "of": self.whole,
            "unit": self.unit,
            "results": dict(self.results),
            "reason": self.reason,
        }
