"""Rounds of a campaign: the candidates, labels and refits of each round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alflow.results.table import Cell, Table
from alflow.results.validation import FEWEST_FRAMES, read_validations
from alflow.states import LabelState
from alflow.store import Store

ROUND_COLUMNS: Mapping[str, str] = {
    "round": "round",
    "candidates": "candidates",
    "gamma_max": "γ max",
    "labels": "labels",
    "done": "done",
    "energy_rmse_eV_per_atom": "energy RMSE, meV/atom",
    "force_rmse_eV_A": "force RMSE, eV/Å",
    "validation_force_rmse_eV_A": "validation eV/Å",
}
"""Columns of a table of rounds: key of `RoundRecord.as_dict` → heading."""

_IN_THOUSANDTHS = ("energy_rmse_eV_per_atom",)


@dataclass(frozen=True)
class RoundRecord:
    """One round.

    Attributes
    ----------
    round
    candidates
        Configurations among which the labels were chosen.
    gamma_max
        Highest extrapolation grade among them.
    labels, done
        Numbers of requested and of accepted labels.
    potential
        Version of the potential that was fitted at the end of the round; None without a refit.
    energy_rmse_eV_per_atom, force_rmse_eV_A
        Training errors of that version.
    phase, stage
        Phase and stage of the round, if the kind of campaign has phases; stages count from 0.
    work
        Results of the round's tasks, in numbers, such as candidates relaxed.
    validation_force_rmse_eV_A
        Validation error at the end of the round; None without, or with too few frames.
    """

    round: int
    candidates: int
    gamma_max: float | None
    labels: int
    done: int
    potential: int | None = None
    energy_rmse_eV_per_atom: float | None = None
    force_rmse_eV_A: float | None = None
    phase: str | None = None
    stage: int | None = None
    work: Mapping[str, int] = field(default_factory=dict)
    validation_force_rmse_eV_A: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values; the entries of `work` are on the same level as the others."""
        values = {key: value for key, value in vars(self).items() if key != "work"}
        return {**values, **self.work}


def rounds_table(
    rounds: Sequence[RoundRecord], columns: Mapping[str, str] = ROUND_COLUMNS, newest: int | None = None
) -> Table:
    """Rounds as a table; with `newest`, only that number of newest rounds."""
    shown = rounds[-newest:] if newest else rounds
    if all(row.validation_force_rmse_eV_A is None for row in rounds):
        columns = {key: title for key, title in columns.items() if key != "validation_force_rmse_eV_A"}
    return Table("Rounds", tuple(columns.values()), [_row(row.as_dict(), columns) for row in shown])


def _row(values: Mapping[str, Any], columns: Mapping[str, str]) -> list[Cell]:
    return [
        1000 * values[key] if key in _IN_THOUSANDTHS and values.get(key) is not None else values.get(key)
        for key in columns
    ]


def read_rounds(
    store: Store, campaign: str, work: Mapping[int, Mapping[str, int]] | None = None
) -> list[RoundRecord]:
    """The rounds of a campaign whose labels have been chosen, oldest first.

    Parameters
    ----------
    store
    campaign
    work
        Results of the tasks, by round; see `RoundRecord`.
    """
    potentials = {potential["round"]: potential for potential in store.potentials.history(campaign)}
    validated = {
        found.round: found.errors.force_rmse_eV_A.value
        for found in read_validations(store, campaign)
        if found.errors.frames >= FEWEST_FRAMES
    }
    asked, done = Counter[int](), Counter[int]()
    for label in store.labels.find(campaign):
        asked[label["round"]] += 1
        done[label["round"]] += label["state"] == LabelState.DONE
    records = []
    for event in store.events.find(campaign, "selected"):
        round_ = event["round"]
        potential = potentials.get(round_, {})
        errors = potential.get("errors", {})
        records.append(
            RoundRecord(
                round=round_,
                candidates=event["candidates"],
                gamma_max=event["grades"][1] if event["grades"] else None,
                labels=asked[round_],
                done=done[round_],
                potential=potential.get("version"),
                energy_rmse_eV_per_atom=errors.get("energy_rmse_eV_per_atom"),
                force_rmse_eV_A=errors.get("force_rmse_eV_A"),
                validation_force_rmse_eV_A=validated.get(round_),
                phase=event.get("phase"),
                stage=event.get("stage"),
                work=(work or {}).get(round_, {}),
            )
        )
    return records
