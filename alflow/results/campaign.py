"""The values that reports of all kinds of campaigns show."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version as installed_version
from typing import Any

from alflow.results.labels import LabelRecord, computed, import_notes, problems, read_labels, state_counts
from alflow.states import CampaignState, LabelState, Role
from alflow.store import Store
from alflow.store.cost import Cost, costs_of, total

PACKAGES = ("alflow", "ase", "fireworks", "numpy", "pymongo", "scipy")


@dataclass(frozen=True)
class CampaignRecord:
    """A campaign with its labels.

    Attributes
    ----------
    name, kind
    title
        The purpose of this kind of campaign, in a few words.
    state
    reason
        The reason why it ended, in one sentence; None while it runs.
    rounds
        Number of finished rounds.
    began, ended
    species
    cost
        By role.
    labels
        In the order of the requests.
    levels
        Each level of theory that occurs among the labels.
    config
        The campaign file, as resolved.
    software
        Name → version.
    import_notes
        What was set aside, or should be known, when labels of a file were imported.
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
    import_notes: Sequence[str] = ()

    @property
    def qm_calls(self) -> int:
        """Number of computed labels, accepted or not."""
        return computed(self.labels)

    @property
    def label_states(self) -> dict[LabelState, int]:
        """Number of labels by state."""
        return state_counts(self.labels)

    @property
    def label_problems(self) -> list[tuple[LabelState, str, int]]:
        """State, reason and number of the labels that were not accepted, most frequent reason first."""
        return problems(self.labels)

    @property
    def total_cost(self) -> Cost:
        """The cost, summed over all roles."""
        return total(self.cost)

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        return f"{self.name}, {self.state}, round {self.rounds}"

    def summary(self) -> dict[str, Any]:
        """The results in plain values."""
        return {
            "campaign": self.name,
            "kind": self.kind,
            "state": str(self.state),
            "reason": self.reason,
            "rounds": self.rounds,
            "labels": {str(state): count for state, count in self.label_states.items()},
            "cost": {str(role): asdict(cost) for role, cost in self.cost.items()},
        }


def read_campaign(store: Store, name: str, title: str) -> CampaignRecord:
    """A campaign with its labels; `title` is the purpose of its kind.

    Raises
    ------
    InputError
        If there is no campaign of this name.
    """
    document = store.campaigns.get(name)
    config = store.campaigns.config(name)
    labels, levels = read_labels(store, name)
    return CampaignRecord(
        name=name,
        kind=config.kind,
        title=title,
        state=CampaignState(document["state"]),
        reason=document["reason"],
        rounds=document["round"],
        began=document["created"],
        ended=document.get("ended"),
        species=config.species,
        cost=costs_of(document),
        labels=labels,
        levels=levels,
        config=config.model_dump(mode="json"),
        software=_software(store, name),
        import_notes=import_notes(store, name),
    )


def _software(store: Store, name: str) -> dict[str, str]:
    """Versions of Python, of the relevant packages and of the QM codes."""
    codes = {label["code"]: label["code_version"] for label in store.labels.find(name) if label.get("code")}
    packages = {package: installed_version(package) for package in PACKAGES}
    return {"Python": platform.python_version(), **packages, **codes}
