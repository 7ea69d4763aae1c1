"""The present state of a campaign of active learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alflow.results import ROUND_COLUMNS, Cell, Overview, RunRecord, Table, read_overview, read_runs
from alflow.results.advice import Shortest
from alflow.results.wording import spoken_all
from alflow.store import Store
from workflows.active_learning.schema import ActiveLearning


@dataclass(frozen=True)
class Explorers:
    """The runs of a campaign's explorers, of any kind."""

    runs: Sequence[RunRecord]

    @property
    def subtitle(self) -> str:
        """An empty text: active learning has no phases."""
        return ""

    @property
    def round_columns(self) -> Mapping[str, str]:
        """The columns that all kinds of campaigns share."""
        return ROUND_COLUMNS

    def tables(self) -> list[Table]:
        """A table with the progress and the results of each run."""
        return [Table("Explorers", ("explorer", "state", "progress", ""), [_row(run) for run in self.runs])]

    def as_dict(self) -> dict[str, Any]:
        """The runs in plain values."""
        return {"explorers": [run.as_dict() for run in self.runs]}


def overview(store: Store, document: Mapping[str, Any], shortest: Shortest | None = None) -> Overview:
    """The present state of a campaign, from the store and the campaign's document.

    `shortest` is as in `alflow.results.advice.Facts`; to find it takes too long for a status.
    """
    runs = read_runs(store, document["name"])
    config = store.campaigns.config(document["name"])
    assert isinstance(config, ActiveLearning)
    return read_overview(
        store,
        document,
        part=Explorers(runs),
        exploring=_exploring(runs, document["round"]),
        gamma_save=config.selection.gamma_save,
        explored_steps=sum(run.all_steps for run in runs),
        validation_labels=config.validation.labels,
        shortest=shortest,
    )


def _exploring(runs: Sequence[RunRecord], round_: int) -> str | None:
    """The runs for which the round waits, in words; None if there are none."""
    behind = [run.name for run in runs if run.state.is_open and run.round < round_]
    return f"explorers {', '.join(behind)}" if behind else None


def _row(run: RunRecord) -> list[Cell]:
    of = "" if run.whole is None else f" of {run.whole:.4g}"
    single = {name: value for name, value in run.results.items() if not isinstance(value, list | dict)}
    remarks = [spoken_all(single), run.reason or ""]
    return [
        run.name,
        str(run.state),
        f"{run.progress:.4g}{of} {run.unit}",
        "; ".join(remark for remark in remarks if remark),
    ]
