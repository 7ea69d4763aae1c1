"""Runs of explorers: their progress, results and histories."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alflow.explorers import EXPLORERS, Explorer
from alflow.settings import Section
from alflow.states import RunState
from alflow.store import Store


@dataclass(frozen=True)
class Quantity:
    """A column of a history, for a figure.

    Attributes
    ----------
    name
        Key of the history.
    label
        Label of the axis, with the unit.
    values
        One value per entry of the history; per atom if the explorer asks for it.
    targets
        Target values at the beginning and at the end of the run; None without a target.
    """

    name: str
    label: str
    values: NDArray[np.float64]
    targets: tuple[float, float] | None = None

    @property
    def changes(self) -> bool:
        """Whether the values change; constant columns are not drawn."""
        return bool(len(self.values)) and not np.allclose(self.values, self.values[0], rtol=1e-9, atol=0)


@dataclass(frozen=True)
class RunRecord:
    """One run of an explorer of any kind.

    Attributes
    ----------
    index
        Number of the run in the campaign.
    name, kind
    state
    reason
        The reason why the run is paused or failed.
    settings
        The run's settings, as plain values.
    round
        The last round of the campaign that it has completed.
    step, length
        Present and final step, in the units of the kind; the length may be unknown.
    progress, whole
        The same in `unit`.
    unit
        Such as ``ps``.
    passes
        Number of earlier passes, after each of which the run began anew.
    results
        Results of the run, with units in the names: ``{"barrier_eV": 0.69}``.
    steps, along, grades
        Step, progress in `unit` and extrapolation grade at each entry of the history, shape (n,); empty if
        the history was not requested.
    quantities
        Further columns that the kind of explorer records.
    """

    index: int
    name: str
    kind: str
    state: RunState
    reason: str | None
    settings: Mapping[str, Any]
    round: int
    step: int
    length: int | None
    progress: float
    whole: float | None
    unit: str
    passes: int = 0
    results: Mapping[str, Any] = field(default_factory=dict)
    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=int))
    along: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    grades: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    quantities: Sequence[Quantity] = ()

    @property
    def all_steps(self) -> int:
        """Steps of all passes."""
        return self.passes * (self.length or 0) + self.step

    @property
    def all_progress(self) -> float:
        """Progress of all passes, in `unit`."""
        return self.passes * (self.whole or 0.0) + self.progress

    def later(self, label: str) -> tuple[float, float]:
        """Mean and standard deviation of a quantity over the second half of the run; NaN without any."""
        found = [quantity.values for quantity in self.quantities if quantity.label == label]
        if not found or not len(self.along):
            return math.nan, math.nan
        later = found[0][self.along >= (self.along[0] + self.along[-1]) / 2]
        return float(later.mean()), float(later.std())

    def as_dict(self) -> dict[str, Any]:
        """The values that a status shows."""
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


def read_runs(store: Store, campaign: str, *, history: bool = False) -> list[RunRecord]:
    """The runs of a campaign by index; with `history`, also the history of their present pass.

    Raises
    ------
    InputError
        If the package that offers a run's kind of explorer is not installed.
    """
    sizes = store.explorers.sizes(campaign) if history else {}
    records = []
    for document in store.explorers.all(campaign):
        explorer = EXPLORERS.get(document["kind"])
        settings = explorer.RunSettings.model_validate(document["settings"])
        record = _record(document, explorer, settings)
        if history and (columns := store.explorers.history(campaign, document["index"])):
            record = _with_history(record, explorer, settings, columns, sizes.get(document["index"], 1))
        records.append(record)
    return records


def _record(document: Mapping[str, Any], explorer: Explorer, settings: Section) -> RunRecord:
    length = document["steps"]
    progress, unit = explorer.progress(settings, document["step"])
    return RunRecord(
        index=document["index"],
        name=document["name"],
        kind=document["kind"],
        state=RunState(document["state"]),
        reason=document["reason"],
        settings=document["settings"],
        round=document["round"],
        step=document["step"],
        length=length,
        progress=progress,
        whole=None if length is None else explorer.progress(settings, length)[0],
        unit=unit,
        passes=document["passes"],
        results=document.get("results") or {},
    )


def _with_history(
    record: RunRecord,
    explorer: Explorer,
    settings: Section,
    history: Mapping[str, NDArray[Any]],
    atoms: int,
) -> RunRecord:
    along = [explorer.progress(settings, step)[0] for step in history["step"].tolist()]
    return replace(
        record,
        steps=history["step"],
        along=np.array(along, dtype=float),
        grades=history["extrapolation_grade"],
        quantities=[
            Quantity(
                name=column.name,
                label=column.label,
                values=history[column.name] / (atoms if column.per_atom else 1),
                targets=None if column.targets is None else column.targets(settings),
            )
            for column in explorer.columns
            if column.name in history
        ],
    )
