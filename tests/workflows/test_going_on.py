"""An edited campaign file: runs become longer, and runs, structures and explorers are added."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alflow.errors import InputError
from workflows.active_learning.schema import ActiveLearning
from workflows.recovery import recover
from workflows.submission import submit

Make = Callable[..., ActiveLearning]
COLD: dict[str, Any] = {
    "name": "cold",
    "structure": "fcc",
    "temperature_K": [60, 100],
    "duration_ps": 0.04,
    "timestep_fs": 2.0,
    "trajectory_every_ps": 0.01,
    "trajectory_velocities": True,
}
FCC = {"element": "Cu", "crystal": "fcc", "a_A": 3.61, "cubic": True}


def _campaign(make: Make, *explorers: dict[str, Any], **sections: Any) -> ActiveLearning:
    # Nothing is learned, so the potential is the same all the time.
    return make(explorers=list(explorers), selection={"gamma_save": 900.0, "gamma_break": 1000.0}, **sections)


def _submit_again(stage: Any, campaign: ActiveLearning) -> None:
    """As `alflow submit` does."""
    submit(stage.store, stage.launchpad, campaign)
    recover(stage.store, stage.launchpad, "cu", patience_s=0.0)


def test_a_longer_run_goes_on_as_if_it_had_been_long_from_the_beginning(
    stage: Any, undisturbed: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    submit(stage.store, stage.launchpad, _campaign(make_campaign, COLD))
    assert stage.work()["state"] == "finished"
    longer = COLD | {"duration_ps": 0.1}
    _submit_again(stage, _campaign(make_campaign, longer))
    assert stage.store.campaigns.get("cu")["state"] == "running"
    assert stage.work()["state"] == "finished"
    submit(undisturbed.store, undisturbed.launchpad, _campaign(make_campaign, longer))
    assert undisturbed.work()["state"] == "finished"
    for index in (0, 1):
        one, two = (list(s.store.explorers.trajectory("cu", index)) for s in (stage, undisturbed))
        assert [frame.info["step"] for frame in one] == list(range(0, 51, 5))
        assert [frame.info for frame in one] == [frame.info for frame in two]
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a.positions, b.positions)
            np.testing.assert_array_equal(a.get_momenta(), b.get_momenta())
        ends = [
            s.store.explorers.checkpoint(s.store.explorers.get("cu", index)) for s in (stage, undisturbed)
        ]
        np.testing.assert_array_equal(ends[0]["positions"], ends[1]["positions"])
        assert ends[0]["random_state"] == ends[1]["random_state"]
    (event,) = stage.store.events.find("cu", "config changed")
    assert event["applied"] == ["explorer cold: steps 20 → 50", "explorer cold: length 0.04 → 0.1 ps"]


def test_runs_added_in_the_middle_leave_the_others_their_index(
    stage: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    other = {"name": "other", "structure": "wide", "temperature_K": 60, "steps": 5}
    submit(stage.store, stage.launchpad, _campaign(make_campaign, COLD))
    assert stage.work()["state"] == "finished"
    more = COLD | {"temperature_K": [60, 80, 100], "threads": 2}
    structures = [{"name": "wide", "build": FCC | {"a_A": 3.65}}, {"name": "fcc", "build": FCC}]
    _submit_again(stage, _campaign(make_campaign, other, more, structures=structures))
    assert stage.work()["state"] == "finished"
    runs = stage.store.explorers.all("cu")
    assert [(run["index"], run["name"], run["state"]) for run in runs] == [
        (0, "cold-60K", "finished"),
        (1, "cold-100K", "finished"),
        (2, "other", "finished"),
        (3, "cold-80K", "finished"),
    ]
    assert [run["settings"]["threads"] for run in runs] == [2, 2, 1, 2]
    assert runs[0]["segment"] == 1, "a run that is not longer is not run again"
    (event,) = stage.store.events.find("cu", "config changed")
    assert event["applied"] == [
        "explorer other: new (other)",
        "explorer cold: 1 new run (cold-80K)",
        "explorer cold: threads 1 → 2",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"duration_ps": 0.02}, r"its length of 0.04 ps cannot become 0.02 ps; a run can only become longer"),
        (
            {"temperature_K": [60, 120]},
            r"'cold-100K' .* temperature_K = 100, .* has temperature_K = 120;",
        ),
        ({"timestep_fs": 1.0, "duration_ps": 0.02}, r"timestep_fs = 2, but the file has timestep_fs = 1;"),
        (
            {"seed": 5},
            r"has seed = 5; .* grade_every, guards, steps, threads can",
        ),
        ({"name": "x"}, r"explorer 'cold' of kind md .* is missing in the file"),
    ],
)
def test_changes_that_a_run_cannot_take(
    stage: Any, make_campaign: Make, changes: dict[str, Any], words: str
) -> None:
    submit(stage.store, stage.launchpad, _campaign(make_campaign, COLD))
    before = stage.store.explorers.all("cu")
    with pytest.raises(InputError, match=words):
        submit(stage.store, stage.launchpad, _campaign(make_campaign, COLD | changes))
    assert stage.store.explorers.all("cu") == before


def test_a_ramp_cannot_become_longer(stage: Any, make_campaign: Make) -> None:
    ramp = COLD | {"temperature_K": {"from": 50, "to": 100}}
    submit(stage.store, stage.launchpad, _campaign(make_campaign, ramp))
    with pytest.raises(InputError, match="would change what has passed"):
        submit(stage.store, stage.launchpad, _campaign(make_campaign, ramp | {"duration_ps": 1.0}))


def test_a_run_that_a_worker_holds_while_it_becomes_longer_stays_open(
    stage: Any, make_campaign: Make
) -> None:
    submit(stage.store, stage.launchpad, _campaign(make_campaign, COLD))
    run = stage.store.explorers.claim("cu", 0, 1)
    submit(stage.store, stage.launchpad, _campaign(make_campaign, COLD | {"duration_ps": 0.1}))
    assert stage.store.explorers.complete(run, 1, "finished", None)
    assert stage.store.explorers.get("cu", 0)["state"] == "ready"
    assert stage.store.explorers.get("cu", 0)["steps"] == 50
