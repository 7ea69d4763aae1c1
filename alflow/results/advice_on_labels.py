"""Rules of advice on labels: why they fail, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from alflow.results.facts import Advice, Facts, Rule
from alflow.results.labels import LabelRecord
from alflow.states import CampaignState, LabelKind, LabelProblem, LabelState

SHARE = 0.1  # of the ended labels: fewer failures are ordinary
FEWEST = 2  # failures of a kind
OFTEN = 0.5  # share of the labels that an energy reference of another kind rejects


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
        "`alflow check` labels two structures of the file again, and tells `initial.energy_shift_eV` if the "
        "difference is constant",
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


def _frequent(facts: Facts, problem: LabelProblem) -> list[LabelRecord]:
    """Computed labels with a problem, if there are enough of them to act on."""
    found = facts.having(problem)
    return found if len(found) >= FEWEST and len(found) >= SHARE * len(facts.computed) else []


def _of(found: Sequence[LabelRecord], facts: Facts) -> str:
    return f"{len(found)} of {len(facts.computed)} labels"
