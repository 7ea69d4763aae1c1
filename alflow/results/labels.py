"""Labels of a campaign: where their structures came from and how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alflow.states import LabelKind, LabelState


@dataclass(frozen=True)
class LabelRecord:
    """One QM label.

    Attributes
    ----------
    round, number
        The label's name is ``round.number``.
    kind
        What it was asked for.
    state
    reason
        Why it was not accepted; None otherwise.
    formula
    level
        Index of its level of theory among those of the campaign.
    stage
        Stage of a screening that it was asked for in, from 0; None in other campaigns.
    explorer, step, grade
        The run that met its structure, where, and the extrapolation grade; None if no run did.
    attempts
    wall_time_s
        Wall time of all attempts; None until it has ended.
    evaluations
        Energies with forces that the QM code computed; a relaxation takes many.
    """

    round: int
    number: int
    kind: LabelKind
    state: LabelState
    reason: str | None
    formula: str
    level: int = 0
    stage: int | None = None
    explorer: str | None = None
    step: int | None = None
    grade: float | None = None
    attempts: int = 1
    wall_time_s: float | None = None
    evaluations: int = 1

    @property
    def is_training(self) -> bool:
        """Whether potentials are fitted or judged with it; what a screening relaxes at last is not."""
        return self.kind != LabelKind.FINAL


def computed(labels: Iterable[LabelRecord]) -> int:
    """Labels that were computed, whether accepted or not: QM calls."""
    return sum(label.state.is_ended for label in labels)


def state_counts(labels: Iterable[LabelRecord]) -> dict[LabelState, int]:
    """Number of labels by state; states without a label are left out."""
    found = Counter(label.state for label in labels)
    return {state: found[state] for state in LabelState if found[state]}


def problems(labels: Sequence[LabelRecord]) -> list[tuple[LabelState, str, int]]:
    """State, reason and number of the labels that were not accepted, most frequent first."""
    found = Counter((label.state, label.reason) for label in labels if label.reason)
    return [(state, reason, count) for (state, reason), count in found.most_common()]
