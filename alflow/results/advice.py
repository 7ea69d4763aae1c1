"""Advice from what a campaign knows about itself: rules, each a pure function of plain facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from alflow.results import advice_on_cost as on_cost
from alflow.results import advice_on_labels as on_labels
from alflow.results import advice_on_learning as on_learning
from alflow.results.facts import Advice, Facts, FitFacts, Rule, Shortest

__all__ = ["RULES", "Advice", "Facts", "FitFacts", "Rule", "Shortest", "advise", "as_dicts"]


def advise(facts: Facts) -> list[Advice]:
    """The advice of all rules, the most urgent first."""
    found = (rule(facts) for rule in RULES)
    return [advice for advice in found if advice is not None]


def as_dicts(advice: Sequence[Advice]) -> list[dict[str, str]]:
    """Plain values."""
    return [{key: str(value) for key, value in asdict(each).items()} for each in advice]


RULES: Sequence[Callable[[Facts], Advice | None]] = (
    on_labels.code_missing,
    on_labels.wrong_settings,
    on_labels.energy_reference,
    on_labels.labels_time_out,
    on_labels.labels_need_memory,
    on_labels.labels_do_not_converge,
    on_labels.same_reason,
    on_labels.all_refused,
    on_learning.nothing_learned,
    on_cost.labels_wait,
    on_cost.exploring_dominates,
    on_cost.qm_dominates,
    on_learning.unlike_training,
    on_learning.error_floor,
    on_learning.short_distances,
    on_learning.few_labels,
    on_learning.no_validation,
    on_learning.training_error_rises,
)
"""The most urgent first."""
