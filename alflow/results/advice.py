"""Advice from what a campaign knows about itself: rules, each a pure function of plain facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from alflow.results.labels import LabelRecord
from alflow.results.rounds import RoundRecord
from alflow.states import CampaignState, LabelKind, LabelProblem, LabelState, Role
from alflow.store.cost import Cost

SHARE = 0.1  # of the ended labels: fewer failures are ordinary
FEWEST = 2  # failures of a kind
OFTEN = 0.5  # share of the labels that an energy reference of another kind rejects
DOMINATES = 0.8  # share of the processor time
WORTH_S = 3600.0  # processor time below which its shares do not matter
RISE = 1.1  # ratio of training errors that counts as a rise


class Rule(StrEnum):
    """The rule that an advice comes from."""

    LABELS_TIME_OUT = "labels time out"
    LABELS_NEED_MEMORY = "labels need memory"
    LABELS_DO_NOT_CONVERGE = "labels do not converge"
    CODE_MISSING = "QM code missing"
    WRONG_SETTINGS = "QM settings wrong"
    ENERGY_REFERENCE = "energy reference"
    SAME_REASON = "one reason for all"
    ALL_REFUSED = "all candidates refused"
    NOTHING_LEARNED = "nothing learned"
    LABELS_WAIT = "labels wait"
    EXPLORING_DOMINATES = "exploring dominates"


@dataclass(frozen=True)
class Advice:
    """An advice: what was found, and what to do, a sentence each."""

    rule: Rule
    finding: str
    action: str

    @property
    def text(self) -> str:
        """Both sentences in one line."""
        return f"{self.finding}; {self.action}"


@dataclass(frozen=True)
class Facts:
    """The input of the rules.

    Attributes
    ----------
    state
    labels
    rounds
        Oldest first.
    cost
        By role.
    qm
        The campaign's section `qm`, as plain values.
    gamma_save
        Threshold above which frames are candidates; None if the campaign has no runs of explorers.
    explored_steps
        Steps of all runs.
    """

    state: CampaignState
    labels: Sequence[LabelRecord] = ()
    rounds: Sequence[RoundRecord] = ()
    cost: Mapping[Role, Cost] = field(default_factory=dict)
    qm: Mapping[str, Any] = field(default_factory=dict)
    gamma_save: float | None = None
    explored_steps: int = 0

    @property
    def computed(self) -> list[LabelRecord]:
        """Labels that QM has ended, accepted or not; imported ones are left out."""
        return [label for label in self.labels if label.state.is_ended and label.kind != LabelKind.IMPORTED]

    def having(self, problem: LabelProblem) -> list[LabelRecord]:
        """Computed labels with this problem."""
        return [label for label in self.computed if label.problem == problem]


def advise(facts: Facts) -> list[Advice]:
    """The advice of all rules, the most urgent first."""
    found = (rule(facts) for rule in RULES)
    return [advice for advice in found if advice is not None]


def as_dicts(advice: Sequence[Advice]) -> list[dict[str, str]]:
    """Plain values."""
    return [{key: str(value) for key, value in asdict(each).items()} for each in advice]


def code_missing(facts: Facts) -> Advice | None:
    """The QM code is not installed where labels run."""
    if not (found := facts.having(LabelProblem.CODE_MISSING)):
        return None
    return Advice(
        Rule.CODE_MISSING,
        f"{_of(found, facts)} failed because the QM code is missing: {found[-1].reason}",
        "install it on the workers (`alflow doctor` looks for it), then `alflow labels retry`",
    )


def wrong_settings(facts: Facts) -> Advice | None:
    """An option of the QM code is wrong."""
    if not (found := facts.having(LabelProblem.WRONG_SETTINGS)):
        return None
    return Advice(
        Rule.WRONG_SETTINGS,
        f"{_of(found, facts)} failed because of a setting: {found[-1].reason}",
        "correct `qm.options`, then `alflow labels retry`",
    )


def energy_reference(facts: Facts) -> Advice | None:
    """Labels of a file and of the QM code have energies with different references."""
    imported = sum(label.kind == LabelKind.IMPORTED for label in facts.labels)
    found = facts.having(LabelProblem.ENERGY_OUTLIER)
    if not imported or len(found) < FEWEST or len(found) < OFTEN * len(facts.computed):
        return None
    return Advice(
        Rule.ENERGY_REFERENCE,
        f"{_of(found, facts)} were rejected because their energies are outliers among the {imported} labels "
        "of `initial.file`: your file's energies probably have another reference",
        "label two structures of the file again with `qm`, compare, and shift the file's energies",
    )


def labels_time_out(facts: Facts) -> Advice | None:
    """Labels end at their time limit."""
    if not (found := _frequent(facts, LabelProblem.TIMED_OUT)):
        return None
    limit_s = facts.qm["timeout_s"]
    return Advice(
        Rule.LABELS_TIME_OUT,
        f"{_of(found, facts)} failed: walltime",
        f"raise `qm.timeout_s` (now {limit_s:g} s), then `alflow labels retry`",
    )


def labels_need_memory(facts: Facts) -> Advice | None:
    """Labels end at their memory limit."""
    if not (found := _frequent(facts, LabelProblem.OUT_OF_MEMORY)):
        return None
    return Advice(
        Rule.LABELS_NEED_MEMORY,
        f"{_of(found, facts)} failed: memory",
        f"raise `qm.memory_limit_GB` (now {facts.qm['memory_limit_GB']:g}) and run fewer labels per node",
    )


def labels_do_not_converge(facts: Facts) -> Advice | None:
    """Self-consistency is not reached."""
    if not (found := _frequent(facts, LabelProblem.NOT_CONVERGED)):
        return None
    return Advice(
        Rule.LABELS_DO_NOT_CONVERGE,
        f"{_of(found, facts)} failed: self-consistency was not reached",
        "look at one with `alflow labels show`; more smearing, softer mixing or more iterations often help",
    )


def same_reason(facts: Facts) -> Advice | None:
    """All unsuccessful labels have the same reason, which no other rule explains."""
    unsuccessful = [
        label
        for label in facts.computed
        if label.state != LabelState.DONE
        and label.problem in (None, LabelProblem.CODE_FAILED, LabelProblem.IMPLAUSIBLE)
    ]
    reasons = Counter(label.reason for label in unsuccessful)
    if len(unsuccessful) <= FEWEST or len(reasons) != 1 or len(unsuccessful) < SHARE * len(facts.computed):
        return None
    return Advice(
        Rule.SAME_REASON,
        f"{_of(unsuccessful, facts)} have no result for the same reason: {unsuccessful[-1].reason}",
        "the cause is probably a setting, not the structures: see `alflow labels show`",
    )


def all_refused(facts: Facts) -> Advice | None:
    """The newest round had candidates, but none was labelled, and the campaign has ended."""
    newest = facts.rounds[-1] if facts.rounds else None
    if newest is None or not newest.candidates or newest.labels or facts.state != CampaignState.FAILED:
        return None
    return Advice(
        Rule.ALL_REFUSED,
        f"all {newest.candidates} candidates of round {newest.round} were refused or already known",
        "retry the failed labels nearby, or raise the level of the potential: it extrapolates on structures "
        "that it has been trained on",
    )


def nothing_learned(facts: Facts) -> Advice | None:
    """The runs have ended, and none met a candidate."""
    explored = [row for row in facts.rounds if row.round > 0]
    if (
        facts.gamma_save is None
        or facts.state != CampaignState.FINISHED
        or not explored
        or not facts.explored_steps
        or any(row.candidates for row in explored)
    ):
        return None
    return Advice(
        Rule.NOTHING_LEARNED,
        f"γ never exceeded γ_save = {facts.gamma_save:g}: nothing was learned after the first labels",
        "if you expected more, explore hotter or longer, or raise the level of the potential; γ says where "
        "it extrapolates, not how accurate it is",
    )


def labels_wait(facts: Facts) -> Advice | None:
    """Workers wait for a slot longer than they compute labels."""
    cost, limit = facts.cost.get(Role.LABEL, Cost()), facts.qm.get("concurrency")
    if limit is None or cost.waiting_s < WORTH_S or cost.waiting_s <= cost.wall_s:
        return None
    return Advice(
        Rule.LABELS_WAIT,
        f"workers waited {cost.waiting_s / 3600:.2g} h to label, and worked {cost.wall_s / 3600:.2g} h",
        f"raise `qm.concurrency` (now {limit}), or start fewer workers for labels",
    )


def exploring_dominates(facts: Facts) -> Advice | None:
    """Most of the time goes into the runs."""
    spent_s = sum(cost.processor_s for cost in facts.cost.values())
    exploring_s = facts.cost.get(Role.EXPLORE, Cost()).processor_s
    if facts.gamma_save is None or spent_s < WORTH_S or exploring_s < DOMINATES * spent_s:
        return None
    return Advice(
        Rule.EXPLORING_DOMINATES,
        f"exploring takes {100 * exploring_s / spent_s:.0f} % of the processor time",
        "for molecular dynamics, grades every 10 steps (`grade_every: 10`) cost a tenth",
    )


RULES: Sequence[Callable[[Facts], Advice | None]] = (
    code_missing,
    wrong_settings,
    energy_reference,
    labels_time_out,
    labels_need_memory,
    labels_do_not_converge,
    same_reason,
    all_refused,
    nothing_learned,
    labels_wait,
    exploring_dominates,
)
"""The most urgent first."""


def _frequent(facts: Facts, problem: LabelProblem) -> list[LabelRecord]:
    """Computed labels with a problem, if there are enough of them to act on."""
    found = facts.having(problem)
    return found if len(found) >= FEWEST and len(found) >= SHARE * len(facts.computed) else []


def _of(found: Sequence[LabelRecord], facts: Facts) -> str:
    return f"{len(found)} of {len(facts.computed)} labels"
