"""Labels of a campaign: the origins of their structures, and their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alflow.states import LabelKind, LabelProblem, LabelState
from alflow.store import Store


@dataclass(frozen=True)
class LabelRecord:
    """One QM label.

    Attributes
    ----------
    round, number
        The label's name is ``round.number``.
    kind
        Purpose of the label.
    state
    reason
        The reason why it was not accepted; None otherwise.
    problem
        The kind of that reason; None also for labels of releases that did not store it.
    formula
    level
        Index of its level of theory among those of the campaign.
    stage
        Stage of a screening that requested it, from 0; None in other campaigns.
    explorer, step, grade
        The run that met its structure, the step, and the extrapolation grade; None without a run.
    attempts
    wall_time_s, processor_s
        Wall time and processor time of all attempts, without waiting; None until it has ended.
    energy_eV
        Energy of the whole structure; None without a result.
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
    problem: LabelProblem | None = None

    @property
    def name(self) -> str:
        """The label's name in commands."""
        return f"{self.round}.{self.number}"


def computed(labels: Iterable[LabelRecord]) -> int:
    """Number of computed labels, accepted or not: QM calls."""
    return sum(label.state.is_ended for label in labels)


def state_counts(labels: Iterable[LabelRecord]) -> dict[LabelState, int]:
    """Number of labels by state, without states that no label has."""
    found = Counter(label.state for label in labels)
    return {state: found[state] for state in LabelState if found[state]}


def problems(labels: Sequence[LabelRecord]) -> list[tuple[LabelState, str, int]]:
    """State, reason and number of the labels that were not accepted, most frequent reason first."""
    found = Counter((label.state, label.reason) for label in labels if label.reason)
    return [(state, reason, count) for (state, reason), count in found.most_common()]


@dataclass(frozen=True)
class KindCost:
    """Number of labels of one kind, and the processor time (s) of all their attempts."""

    labels: int
    processor_s: float


def costs_by_kind(store: Store, campaign: str) -> dict[LabelKind, KindCost]:
    """Labels and their cost by purpose, without purposes that no label has."""
    documents = store.labels.find(campaign)
    costs = {}
    for kind in LabelKind:
        spent = [document.get("processor_s") or 0.0 for document in documents if document["kind"] == kind]
        if spent:
            costs[kind] = KindCost(len(spent), sum(spent))
    return costs


def read_labels(store: Store, campaign: str) -> tuple[list[LabelRecord], list[dict[str, Any]]]:
    """The labels of a campaign in the order of the requests, and their levels of theory."""
    documents = store.labels.find(campaign)
    origins = store.configurations.origins([document["configuration"] for document in documents])
    levels = {document["level_hash"]: document["level"] for document in documents}
    numbers = {level: number for number, level in enumerate(levels)}
    records = [
        _record(document, campaign, origins[document["configuration"]], numbers[document["level_hash"]])
        for document in documents
    ]
    return records, list(levels.values())


def import_notes(store: Store, campaign: str) -> list[str]:
    """What was set aside, or should be known, when labels of a file were imported; one sentence each."""
    event = store.events.get(campaign, "selected-0") or {}
    return list(event.get("notes", []))


def _record(document: Mapping[str, Any], campaign: str, origin: Mapping[str, Any], level: int) -> LabelRecord:
    # Another campaign may have met the structure first: its run and step have no meaning here.
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
        problem=LabelProblem(document["problem"]) if document["reason"] and document.get("problem") else None,
    )
