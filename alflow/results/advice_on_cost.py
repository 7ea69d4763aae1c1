"""Rules of advice on where the time goes."""

from __future__ import annotations

from alflow.results.facts import Advice, Facts, Rule
from alflow.states import Role
from alflow.store.cost import Cost

DOMINATES = 0.8  # share of the processor time
WORTH_S = 3600.0  # processor time below which its shares do not matter


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


def qm_dominates(facts: Facts) -> Advice | None:
    """Most of the time goes into labels."""
    spent_s = sum(cost.processor_s for cost in facts.cost.values())
    labelling_s = facts.cost.get(Role.LABEL, Cost()).processor_s
    if spent_s < WORTH_S or labelling_s < DOMINATES * spent_s:
        return None
    return Advice(
        Rule.QM_DOMINATES,
        f"QM takes {100 * labelling_s / spent_s:.0f} % of the processor time",
        "smaller cells, labels that you have already (`initial.file`), or fewer `labels_per_round` save most",
    )
