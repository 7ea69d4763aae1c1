"""Labels in a campaign: slots, limits, and what is kept of them."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from alflow.states import Role
from alflow.store.cost import Cost, costs_of
from qm_interfaces import CodeFailed, NotConverged, QMResult, get_interface
from qm_interfaces.mock import MockInterface
from workflows.active_learning.schema import ActiveLearning
from workflows.local import ROLES, _without_waiting, work
from workflows.submission import submit
from workflows.tasks.label import LabelTask

Make = Callable[..., ActiveLearning]


@pytest.fixture
def limits_seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Labels in this process: the first fails once and the second for good; what limits they were given."""
    seen: list[dict[str, Any]] = []

    def run_label(
        interface: str, options: dict, atoms: Any, directory: Path, *, attempt: int, **limits: Any
    ) -> QMResult:
        directory.mkdir(exist_ok=True)
        (directory / "OUTCAR").write_text("all that the code has said")
        seen.append(limits | {"attempt": attempt, "label": directory.name})
        number = list(dict.fromkeys(call["label"] for call in seen)).index(directory.name)
        if number == 1 or (number == 0 and attempt == 1):
            raise NotConverged("no convergence in 60 steps")
        return get_interface(interface, **options).compute(atoms, directory, attempt=attempt)

    monkeypatch.setattr("workflows.tasks.label.run_label", run_label)
    return seen


def launch(stage: Any, turns: int) -> None:
    left = iter(range(turns))
    work(stage.launchpad, ROLES, keep_going=lambda: next(left, None) is not None)


def label_states(stage: Any) -> list[str]:
    return [label["state"] for label in stage.store.labels.find("cu")]


@pytest.mark.parametrize(("keep", "kept"), [("none", []), ("failed", [2]), ("all", [1, 2, 3])])
def test_folders_are_kept_as_the_campaign_says(
    stage: Any,
    make_campaign: Make,
    limits_seen: list[dict[str, Any]],
    keep: str,
    kept: list[int],
    tmp_path: Path,
) -> None:
    submit(stage.store, stage.launchpad, make_campaign(qm={"keep": keep}))
    launch(stage, 4)
    labels = stage.store.labels.find("cu")
    assert [label["state"] for label in labels] == ["done", "failed", "done"]
    for label in labels:
        assert (label["folder"] is not None) == (label["number"] in kept)
        assert label["host"] is not None
        assert label["wall_time_s"] >= 0
        if label["folder"]:
            with tarfile.open(label["folder"]) as packed:
                assert f"0.{label['number']}/OUTCAR" in packed.getnames()
    assert not list(tmp_path.glob("label-*"))


def test_a_full_disk_leaves_the_folder_as_it_is(
    stage: Any, make_campaign: Make, limits_seen: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workflows.tasks.label.tarfile.open", full)
    submit(stage.store, stage.launchpad, make_campaign(qm={"keep": "failed"}))
    launch(stage, 4)
    (failed,) = stage.store.labels.find("cu", state="failed")
    assert (Path(failed["folder"]) / "OUTCAR").is_file()
    assert stage.store.campaigns.get("cu")["state"] == "running"


def test_limits_reach_the_label_and_a_retry_may_have_others(
    stage: Any, make_campaign: Make, limits_seen: list[dict[str, Any]]
) -> None:
    submit(stage.store, stage.launchpad, make_campaign(qm={"timeout_s": 100.0, "memory_limit_GB": 4.0}))
    launch(stage, 4)
    (failed,) = stage.store.labels.find("cu", state="failed")
    assert [call["timeout_s"] for call in limits_seen] == [100, 200, 100, 200, 100]
    assert {call["memory_limit_GB"] for call in limits_seen} == {4.0}
    assert failed["failures"] == [failed["reason"]] == ["no convergence in 60 steps"]
    assert stage.store.labels.retry(failed["_id"], timeout_s=1000)
    left = iter(range(60))
    work(stage.launchpad, ROLES, keep_going=lambda: "waiting" in label_states(stage) and next(left) < 59)
    again = [call["timeout_s"] for call in limits_seen if call["label"] == f"label-{failed['_id']}"]
    assert again[2:] == [1000, 2000]


def test_a_label_without_a_slot_does_not_hold_a_worker(
    stage: Any, make_campaign: Make, limits_seen: list[dict[str, Any]]
) -> None:
    slots = stage.store.slots
    submit(stage.store, stage.launchpad, make_campaign(qm={"concurrency": 1}))
    other = slots.take("mock", 1)
    launch(stage, 4)
    assert label_states(stage) == ["waiting"] * 3
    assert "spec.campaign" in str(_without_waiting(slots))
    slots.give_back(other)
    assert _without_waiting(slots) == {}
    launch(stage, 3)
    assert label_states(stage) == ["done", "failed", "done"]
    assert not slots.all_taken("mock", 1)


def test_a_label_that_waits_for_a_slot_is_not_at_work(
    stage: Any, make_campaign: Make, limits_seen: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = stage.store.slots
    spent = {"processor_s": 0.0, "wall_s": 0.0}
    times = SimpleNamespace(times=lambda: os.times_result((spent["processor_s"], 0, 0, 0, 0)))
    monkeypatch.setattr("alflow.store.cost.os", times)
    monkeypatch.setattr("alflow.store.cost.time", SimpleNamespace(monotonic=lambda: spent["wall_s"]))
    submit(stage.store, stage.launchpad, make_campaign(qm={"concurrency": 1}, initial={"count": 1}))
    launch(stage, 1)
    (label,) = stage.store.labels.find("cu")
    other = slots.take("mock", 1)

    def half_an_hour_later(_: float) -> None:
        spent["wall_s"] += 1800.0
        slots.give_back(other)

    monkeypatch.setattr("alflow.store.leased_work.time", SimpleNamespace(sleep=half_an_hour_later))
    compute = MockInterface.compute

    def takes_a_minute(*arguments: Any, **options: Any) -> QMResult:
        spent["processor_s"] += 50.0
        spent["wall_s"] += 60.0
        return compute(*arguments, **options)

    monkeypatch.setattr(MockInterface, "compute", takes_a_minute)
    task = LabelTask(campaign="cu", round=0, label=str(label["_id"]))
    task.launchpad = stage.launchpad
    task.run_task({})
    (label,) = stage.store.labels.find("cu")
    assert (label["state"], label["attempts"]) == ("done", 2)
    assert (label["wall_time_s"], label["processor_s"]) == (60.0, 50.0)
    cost = costs_of(stage.store.campaigns.get("cu"))
    assert cost[Role.LABEL] == Cost(processor_s=50.0, wall_s=60.0, waiting_s=1800.0)
    assert cost[Role.EXPLORE] == Cost()


def test_a_slot_is_given_back_whatever_happens(stage: Any) -> None:
    slot = stage.store.slots.take("vasp", 1)
    with pytest.raises(CodeFailed), stage.store.slots.held(slot):
        assert stage.store.slots.all_taken("vasp", 1)
        raise CodeFailed("gone")
    assert not stage.store.slots.all_taken("vasp", 1)
