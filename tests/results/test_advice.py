"""Each rule fires where it should, and does not where it should not."""

from __future__ import annotations

from typing import Any

import pytest

from alflow.potentials.estimates import Estimate, EstimatedErrors
from alflow.results import Cost, LabelRecord, RoundRecord
from alflow.results.advice import RULES, Facts, FitFacts, Rule, Shortest, advise
from alflow.results.validation import ValidationRecord
from alflow.states import CampaignState, LabelKind, LabelProblem, LabelState, Role

QM = {"timeout_s": 600.0, "memory_limit_GB": 4.0, "concurrency": 2}


def labels(
    done: int,
    unsuccessful: int = 0,
    problem: LabelProblem | None = None,
    reason: str = "why",
    imported: int = 0,
) -> list[LabelRecord]:
    kinds = [LabelKind.IMPORTED] * imported + [LabelKind.EXTRAPOLATIVE] * (done + unsuccessful)
    found = []
    for number, kind in enumerate(kinds, start=1):
        if number <= imported + done:
            found.append(LabelRecord(1, number, kind, LabelState.DONE, None, "Cu4"))
        else:
            found.append(LabelRecord(1, number, kind, LabelState.FAILED, reason, "Cu4", problem=problem))
    return found


def facts(state: CampaignState = CampaignState.RUNNING, **more: Any) -> Facts:
    return Facts(state=state, qm=QM, **more)


def round_(number: int, candidates: int, asked: int = 0) -> RoundRecord:
    return RoundRecord(number, candidates, None, asked, asked)


def learned(*errors: tuple[float, float | None]) -> list[RoundRecord]:
    """Rounds with training and validation force errors."""
    return [
        RoundRecord(number, 4, None, 4, 4, number, 0.001, trained, validation_force_rmse_eV_A=validated)
        for number, (trained, validated) in enumerate(errors, start=1)
    ]


def validation(value: float, frames: int = 20) -> ValidationRecord:
    estimate = Estimate(value, 0.8 * value, 1.25 * value)
    return ValidationRecord(3, 3, EstimatedErrors(frames, *[estimate] * 6))


FINISHED, FAILED = CampaignState.FINISHED, CampaignState.FAILED
CASES = {
    Rule.CODE_MISSING: (
        facts(labels=labels(0, 1, LabelProblem.CODE_MISSING)),
        facts(labels=labels(5, 1, LabelProblem.CODE_FAILED)),
    ),
    Rule.WRONG_SETTINGS: (
        facts(labels=labels(0, 1, LabelProblem.WRONG_SETTINGS)),
        facts(labels=labels(5)),
    ),
    Rule.ENERGY_REFERENCE: (
        facts(labels=labels(0, 3, LabelProblem.ENERGY_OUTLIER, imported=40)),
        facts(labels=labels(0, 3, LabelProblem.ENERGY_OUTLIER)),  # no file
    ),
    Rule.LABELS_TIME_OUT: (
        facts(labels=labels(18, 12, LabelProblem.TIMED_OUT)),
        facts(labels=labels(60, 2, LabelProblem.TIMED_OUT)),  # rare
    ),
    Rule.LABELS_NEED_MEMORY: (
        facts(labels=labels(5, 5, LabelProblem.OUT_OF_MEMORY)),
        facts(labels=labels(5, 5, LabelProblem.TIMED_OUT)),
    ),
    Rule.LABELS_DO_NOT_CONVERGE: (
        facts(labels=labels(8, 2, LabelProblem.NOT_CONVERGED)),
        facts(labels=labels(8, 1, LabelProblem.NOT_CONVERGED)),  # one only
    ),
    Rule.SAME_REASON: (
        facts(labels=labels(2, 3, LabelProblem.IMPLAUSIBLE, "the mean force is 0.2 eV/Å")),
        facts(
            labels=[
                *labels(2, 2, LabelProblem.IMPLAUSIBLE, "one"),
                *labels(0, 2, LabelProblem.IMPLAUSIBLE, "two"),
            ]
        ),
    ),
    Rule.ALL_REFUSED: (
        facts(FAILED, rounds=[round_(0, 4, 4), round_(1, 9)]),
        facts(FINISHED, rounds=[round_(0, 4, 4), round_(1, 9)]),
    ),
    Rule.NOTHING_LEARNED: (
        facts(FINISHED, rounds=[round_(0, 4, 4), round_(1, 0)], gamma_save=2.1, explored_steps=100),
        facts(FINISHED, rounds=[round_(0, 4, 4), round_(1, 3, 2)], gamma_save=2.1, explored_steps=100),
    ),
    Rule.LABELS_WAIT: (
        facts(cost={Role.TRAIN: Cost(9e3), Role.LABEL: Cost(9e3, 4e3, 9e3)}),
        facts(cost={Role.LABEL: Cost(9e3, 9e3, 8e3)}),
    ),
    Rule.EXPLORING_DOMINATES: (
        facts(gamma_save=2.1, cost={Role.EXPLORE: Cost(9e3), Role.LABEL: Cost(1e3)}),
        facts(gamma_save=2.1, cost={Role.EXPLORE: Cost(90.0), Role.LABEL: Cost(10.0)}),  # seconds
    ),
    Rule.QM_DOMINATES: (
        facts(cost={Role.EXPLORE: Cost(1e3), Role.LABEL: Cost(9e3)}),
        facts(cost={Role.EXPLORE: Cost(4e3), Role.LABEL: Cost(9e3)}),
    ),
    Rule.TRAINING_ERROR_RISES: (
        facts(rounds=learned((0.01, 0.04), (0.012, 0.03), (0.015, 0.025))),
        facts(rounds=learned((0.01, 0.04), (0.012, 0.05), (0.015, 0.06))),  # validation rises as well
    ),
    Rule.UNLIKE_TRAINING: (
        facts(rounds=learned((0.01, None)), validation=validation(0.04)),
        facts(rounds=learned((0.01, None)), validation=validation(0.04, frames=4)),  # too few
    ),
    Rule.ERROR_FLOOR: (
        facts(rounds=learned(*[(0.14, 0.15)] * 3), validation=validation(0.15)),
        facts(rounds=learned((0.2, 0.25), (0.17, 0.2), (0.14, 0.15)), validation=validation(0.15)),  # falls
    ),
    Rule.FEW_LABELS: (
        facts(FINISHED, labels=labels(12), fit=FitFacts(200)),
        facts(labels=labels(12), fit=FitFacts(200)),  # it has not ended
    ),
    Rule.SHORT_DISTANCES: (
        facts(fit=FitFacts(10, 1.8), shortest=Shortest(2.0, 1.7)),
        facts(fit=FitFacts(10, 1.8), shortest=Shortest(1.7, 1.7)),  # as near as trained
    ),
    Rule.NO_VALIDATION: (
        facts(labels=labels(40), fit=FitFacts(10), validation_labels=0),
        facts(labels=labels(40), fit=FitFacts(10), validation_labels=20),
    ),
}


@pytest.mark.parametrize("rule", Rule)
def test_a_rule_fires_where_it_should_only(rule: Rule) -> None:
    fires, does_not = CASES[rule]
    assert [advice.rule for advice in advise(fires)] == [rule]
    assert rule not in [advice.rule for advice in advise(does_not)]


def test_there_is_a_function_for_every_rule() -> None:
    assert len(RULES) == len(Rule)


def test_the_words_of_an_advice() -> None:
    (advice,) = advise(facts(labels=labels(18, 12, LabelProblem.TIMED_OUT)))
    assert advice.finding == "12 of 30 labels failed: walltime"
    assert advice.action == "raise `qm.timeout_s` (now 600 s), then `alflow labels retry`"


def test_an_error_that_is_low_enough_needs_no_larger_potential() -> None:
    assert advise(facts(rounds=learned(*[(0.014, 0.015)] * 3), validation=validation(0.015))) == []


def test_another_energy_reference_is_found_by_a_check() -> None:
    (advice,) = advise(facts(labels=labels(0, 3, LabelProblem.ENERGY_OUTLIER, imported=40)))
    assert "`alflow check`" in advice.action


def test_a_healthy_campaign_needs_no_advice() -> None:
    assert advise(facts(FINISHED, labels=labels(20), rounds=[round_(0, 4, 4), round_(1, 9, 4)])) == []
