"""What reports of all kinds of campaigns show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from alflow.results.costs import total
from alflow.results.labels import LabelRecord, computed, problems, state_counts
from alflow.states import CampaignState, LabelState, Role
from alflow.store.cost import Cost


@dataclass(frozen=True)
class CampaignRecord:
    """A campaign with its labels.

    Attributes
    ----------
    name, kind
    title
        What a campaign of this kind does, in a few words.
    state
    reason
        Why it ended, in one sentence; None while it runs.
    rounds
        Rounds that are over.
    began, ended
    species
    cost
        By role.
    labels
        In the order in which they were asked for.
    levels
        Each level of theory that occurs among the labels.
    config
        The campaign file, as resolved.
    software
        Name → version.
    """

    name: str
    kind: str
    title: str
    state: CampaignState
    reason: str | None
    rounds: int
    began: datetime
    ended: datetime | None
    species: Sequence[str]
    cost: Mapping[Role, Cost]
    labels: Sequence[LabelRecord]
    levels: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]
    software: Mapping[str, str]

    @property
    def qm_calls(self) -> int:
        """Labels that were computed, whether accepted or not."""
        return computed(self.labels)

    @property
    def label_states(self) -> dict[LabelState, int]:
        """Number of labels by state."""
        return state_counts(self.labels)

    @property
    def label_problems(self) -> list[tuple[LabelState, str, int]]:
        """State, reason and number of the labels that were not accepted, most frequent first."""
        return problems(self.labels)

    @property
    def total_cost(self) -> Cost:
        """Over all roles."""
        return total(self.cost)

    @property
    def headline(self) -> str:
        """One line on what came out."""
        return f"{self.name}, {self.state}, round {self.rounds}"

    def summary(self) -> dict[str, Any]:
        """What came out, in plain values."""
        return {
            "campaign": self.name,
            "kind": self.kind,
            "state": str(self.state),
            "reason": self.reason,
            "rounds": self.rounds,
            "labels": {str(state): count for state, count in self.label_states.items()},
            "cost": {str(role): asdict(cost) for role, cost in self.cost.items()},
        }
