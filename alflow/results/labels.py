"""Labels of a campaign: where their structures came from and how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alflow.states import LabelKind, LabelState
from alflow.store import Store


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
    wall_time_s, processor_s
        Wall time and processor time of all attempts, without waiting; None until it has ended.
    energy_eV
        Of the whole structure; None without a result.
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
    processor_s: float | None = None
    energy_eV: float | None = None
    evaluations: int = 1

    @property
    def name(self) -> str:
        """As commands name it."""
        return f"{self.round}.{self.number}"


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


def read_labels(store: Store, campaign: str) -> tuple[list[LabelRecord], list[dict[str, Any]]]:
    """The labels of a campaign in the order in which they were asked for, and their levels of theory."""
    documents = store.labels.find(campaign)
    origins = store.configurations.origins([document["configuration"] for document in documents])
    levels = {document["level_hash"]: document["level"] for document in documents}
    numbers = {level: number for number, level in enumerate(levels)}
    records = [
        _record(document, campaign, origins[document["configuration"]], numbers[document["level_hash"]])
        for document in documents
    ]
    return records, list(levels.values())


def _record(document: Mapping[str, Any], campaign: str, origin: Mapping[str, Any], level: int) -> LabelRecord:
    # Another campaign may have met the structure first: then its run and step mean nothing here.
    source = origin["source"] if origin["source"].get("campaign") == campaign else {}
    return LabelRecord(
        round=document["round"],
        number=document["number"],
        kind=LabelKind(document["kind"]),
        state=LabelState(document["state"]),
        reason=document["reason"],
        formula=origin["formula"],
        level=level,
        stage=document["stage"],
        explorer=source.get("explorer"),
        step=source.get("step"),
        grade=source.get("extrapolation_grade"),
        attempts=document["attempts"],
        wall_time_s=document.get("wall_time_s"),
        processor_s=document.get("processor_s"),
        energy_eV=document.get("energy_eV"),
        evaluations=(document.get("details") or {}).get("evaluations", 1),
    )
