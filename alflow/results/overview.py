"""The present state of a campaign, as `alflow status` and `watch` show it, and their JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from alflow.results.advice import Advice, Facts, FitFacts, Shortest, advise, as_dicts
from alflow.results.costs import costs_table
from alflow.results.labels import KindCost, costs_by_kind, import_notes, read_labels
from alflow.results.rounds import ROUND_COLUMNS, RoundRecord, read_rounds, rounds_table
from alflow.results.stored_potentials import read_potential
from alflow.results.table import Table
from alflow.results.validation import ValidationRecord, read_validations
from alflow.states import CampaignState, LabelKind, LabelState, Role
from alflow.store import Store
from alflow.store.cost import Cost, costs_of, total

ADVICE_SHOWN = 2  # in a status


class Part(Protocol):
    """The part of the overview that a kind of campaign adds."""

    @property
    def subtitle(self) -> str:
        """A few words on the progress of the campaign, such as its phase; may be empty."""
        ...

    @property
    def round_columns(self) -> Mapping[str, str]:
        """Columns of the table of rounds, as `ROUND_COLUMNS`."""
        ...

    def tables(self) -> list[Table]:
        """Tables that stand before the table of rounds."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        ...


class NothingMore:
    """The part of a kind of campaign that adds nothing."""

    subtitle = ""
    round_columns = ROUND_COLUMNS

    def tables(self) -> list[Table]:
        """No tables."""
        return []

    def as_dict(self) -> dict[str, Any]:
        """No values."""
        return {}


@dataclass(frozen=True)
class Overview:
    """The present state of a campaign.

    Attributes
    ----------
    campaign, kind
        Names of the campaign and of its kind.
    state
    reason
        The reason why it ended, in one sentence; None while it runs.
    waits_for
        The work for which the present round waits, in a few words.
    round
    labels
        Number of labels by state.
    cost
        By role.
    rounds
        Oldest first.
    part
        The part that the kind of campaign adds.
    validation
        The newest validation error; None without any.
    advice
        The most urgent first.
    kinds
        Number and cost of the labels by purpose.
    import_notes
        What was set aside, or should be known, when labels of a file were imported.
    """

    campaign: str
    kind: str
    state: CampaignState
    reason: str | None
    waits_for: str
    round: int
    labels: Mapping[LabelState, int]
    cost: Mapping[Role, Cost]
    rounds: Sequence[RoundRecord]
    part: Part = field(default_factory=NothingMore)
    validation: ValidationRecord | None = None
    advice: Sequence[Advice] = ()
    kinds: Mapping[LabelKind, KindCost] = field(default_factory=dict)
    import_notes: Sequence[str] = ()

    @property
    def errors(self) -> str:
        """Validation and training error in words; empty before the first fit."""
        trained = [row.force_rmse_eV_A for row in self.rounds if row.force_rmse_eV_A is not None]
        words = [] if self.validation is None else [self.validation.in_words]
        words += [f"training {trained[-1]:#.2g} eV/Å"] if trained else []
        return "; ".join(words)

    @property
    def processor_hours(self) -> float:
        """Processor time of all work so far."""
        return total(self.cost).processor_s / 3600

    @property
    def subtitle(self) -> str:
        """One line: the kind's words, the round, the cost."""
        words = [self.part.subtitle, f"round {self.round}", f"{self.processor_hours:.3g} CPU h"]
        return " · ".join(word for word in words if word)

    @property
    def situation(self) -> str:
        """The reason why the campaign ended, or the work for which it waits."""
        return self.reason or f"waits for {self.waits_for}"

    @property
    def label_counts(self) -> str:
        """Labels by state, in words, and in a second line what their import noted."""
        counts = [f"{count} {state}" for state, count in self.labels.items() if count]
        kinds = [f"{cost.labels} {kind} {cost.processor_s:.3g} s" for kind, cost in self.kinds.items()]
        spent = f" ({', '.join(kinds)})" if LabelKind.VALIDATION in self.kinds else ""
        imported = f"\nimported: {'; '.join(self.import_notes)}" if self.import_notes else ""
        return "labels: " + (", ".join(counts) or "none yet") + spent + imported

    @property
    def advice_lines(self) -> list[str]:
        """The most urgent advice in words, and the number of further ones."""
        shown = [f"advice: {each.text}" for each in self.advice[:ADVICE_SHOWN]]
        more = len(self.advice) - len(shown)
        return [*shown, f"{more} more in the report"] if more else shown

    def tables(self, newest_rounds: int | None = None) -> list[Table]:
        """The kind's tables, the rounds (all, or the given number of newest ones), and the cost."""
        rounds = rounds_table(self.rounds, self.part.round_columns, newest_rounds)
        return [*self.part.tables(), rounds, costs_table(self.cost)]

    def as_dict(self) -> dict[str, Any]:
        """Plain values: the document of `alflow status --json`."""
        return {
            "campaign": self.campaign,
            "kind": self.kind,
            "state": str(self.state),
            "reason": self.reason,
            "waits_for": self.waits_for,
            "round": self.round,
            "labels": {str(state): count for state, count in self.labels.items()},
            "import_notes": list(self.import_notes),
            "labels_by_kind": {str(kind): asdict(cost) for kind, cost in self.kinds.items()},
            "validation": None if self.validation is None else self.validation.as_dict(),
            "cpu_hours": self.processor_hours,
            "cost": {str(role): asdict(cost) for role, cost in self.cost.items()},
            "advice": as_dicts(self.advice),
            **self.part.as_dict(),
            "rounds": [row.as_dict() for row in self.rounds],
        }


def read_overview(
    store: Store,
    document: Mapping[str, Any],
    *,
    part: Part | None = None,
    exploring: str | None = None,
    work: Mapping[int, Mapping[str, int]] | None = None,
    gamma_save: float | None = None,
    explored_steps: int = 0,
    validation_labels: int | None = None,
    shortest: Shortest | None = None,
) -> Overview:
    """The overview that all kinds of campaigns share, joined with the part of one kind.

    Parameters
    ----------
    store
    document
        The campaign's document.
    part
        The part that the kind adds; by default nothing.
    exploring
        The work for which the present round's choice of labels still waits, in a few words; None if the
        choice can begin.
    work
        Results of the tasks, by round; see `RoundRecord`.
    gamma_save, explored_steps, validation_labels, shortest
        As in `alflow.results.advice.Facts`.
    """
    name = document["name"]
    config = store.campaigns.config(name)
    state, rounds, cost = CampaignState(document["state"]), read_rounds(store, name, work), costs_of(document)
    validation = next(reversed(read_validations(store, name)), None)
    facts = Facts(
        state=state,
        labels=read_labels(store, name)[0],
        rounds=rounds,
        cost=cost,
        qm=config.qm.model_dump(mode="json"),
        gamma_save=gamma_save,
        explored_steps=explored_steps,
        validation=validation,
        validation_labels=validation_labels,
        fit=_fit_facts(store, name),
        shortest=shortest,
    )
    labels = {LabelState(state): count for state, count in store.labels.counts(name).items()}
    return Overview(
        campaign=name,
        kind=config.kind,
        state=state,
        reason=document["reason"],
        waits_for=_waits_for(store, document, labels, exploring),
        round=document["round"],
        labels=labels,
        cost=cost,
        rounds=rounds,
        part=part or NothingMore(),
        validation=validation,
        advice=advise(facts),
        import_notes=import_notes(store, name),
        kinds=costs_by_kind(store, name),
    )


def _fit_facts(store: Store, campaign: str) -> FitFacts | None:
    newest = store.potentials.latest(campaign)
    if newest is None:
        return None
    potential = read_potential(store, campaign, newest["version"])
    return FitFacts(
        potential.parameters.size,
        getattr(potential, "min_distance_A", None),
        getattr(potential, "core", None) is not None,
    )


def _waits_for(
    store: Store, document: Mapping[str, Any], labels: Mapping[LabelState, int], exploring: str | None
) -> str:
    if document["state"] != CampaignState.RUNNING:
        return "nothing"
    if store.events.get(document["name"], f"selected-{document['round']}") is None:
        return exploring or "selection"
    running = labels[LabelState.RUNNING]
    if unfinished := labels[LabelState.WAITING] + running:
        return f"{unfinished} labels, {running} of them running"
    return "training"
