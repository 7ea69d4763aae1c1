from __future__ import annotations

import math
from dataclasses import replace

import pytest

from alflow.potentials.estimates import Estimate, EstimatedErrors
from alflow.states import CampaignState, RunState
from workflows.active_learning.schema import Stop
from workflows.stop_rules import ExplorerProgress, why_stop

ONGOING = ExplorerProgress(
    round=3,
    labels=20,
    unfinished=1,
    explorer_states=[RunState.FINISHED, RunState.PAUSED],
    force_rmse_eV_A=[0.5, 0.4, 0.3, 0.2],
    cpu_hours=1.0,
    barren=0,
    quiet=0,
    last_failure="",
)


def test_a_campaign_under_way_goes_on() -> None:
    assert why_stop(Stop(), ONGOING) is None


@pytest.mark.parametrize(
    ("rules", "changes", "state", "words"),
    [
        (Stop(), {"labels": 0, "round": 0, "last_failure": "no licence"}, CampaignState.FAILED, "no licence"),
        (
            Stop(),
            {"unfinished": 0, "explorer_states": [RunState.FINISHED, RunState.FINISHED]},
            CampaignState.FINISHED,
            "all explorers finished",
        ),
        (
            Stop(),
            {"unfinished": 0, "explorer_states": [RunState.FINISHED, RunState.FAILED]},
            CampaignState.FINISHED,
            "1, which failed",
        ),
        (
            Stop(),
            {"unfinished": 0, "explorer_states": [RunState.FAILED]},
            CampaignState.FAILED,
            "every explorer failed",
        ),
        (Stop(barren_rounds=2), {"barren": 2}, CampaignState.FAILED, "2 rounds in a row brought no label"),
        (Stop(max_rounds=3), {}, CampaignState.STOPPED, "max_rounds = 3"),
        (Stop(max_labels=20), {}, CampaignState.STOPPED, "max_labels = 20"),
        (Stop(max_cpu_hours=0.5), {}, CampaignState.STOPPED, "max_cpu_hours = 0.5"),
        (Stop(force_rmse_change_eV_A=0.31), {}, CampaignState.STOPPED, "less than 0.31 eV/Å"),
    ],
)
def test_each_rule_stops_with_its_reason(
    rules: Stop, changes: dict, state: CampaignState, words: str
) -> None:
    end = why_stop(rules, replace(ONGOING, **changes))
    assert end is not None
    assert end[0] == state
    assert words in end[1]


def test_finished_explorers_are_repeated_until_it_is_quiet() -> None:
    finished = replace(ONGOING, unfinished=0, explorer_states=[RunState.FINISHED])
    assert why_stop(Stop(quiet_rounds=1), finished) is None
    assert why_stop(Stop(quiet_rounds=1), replace(finished, quiet=1)) is not None


@pytest.mark.parametrize(
    ("frames", "high", "ends"),
    [(24, 0.047, True), (24, 0.051, False), (9, 0.047, False), (24, math.nan, False)],
)
def test_the_upper_end_of_the_validation_error_ends_the_campaign(
    frames: int, high: float, ends: bool
) -> None:
    force = Estimate(0.041, 0.036, high)
    errors = EstimatedErrors(frames, *[force] * 6)
    end = why_stop(Stop(validation_force_rmse_eV_A=0.05), replace(ONGOING, validation=errors))
    reason = "the validation force RMSE is 0.041 (0.036–0.047) eV/Å, below 0.05 eV/Å"
    assert end == ((CampaignState.FINISHED, reason) if ends else None)
