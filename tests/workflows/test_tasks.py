"""Tasks as fireworks, and what workers log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fireworks import Firework, explicit_serialize

from alflow.states import Role
from alflow.store import Store
from workflows.local import LOG_LEVEL_VARIABLE, _configure_logging
from workflows.tasks.base import CampaignTask, firework
from workflows.tasks.explore import ExploreTask
from workflows.tasks.gather import GatherTask
from workflows.tasks.label import LabelTask
from workflows.tasks.relax import RelaxTask
from workflows.tasks.select import SelectTask
from workflows.tasks.train import TrainTask


@explicit_serialize
class ForeignTask(CampaignTask):
    """A task of another package."""

    role = Role.TRAIN


@pytest.mark.parametrize(
    ("task", "parameters", "name", "category"),
    [
        (ExploreTask, {"explorer": 0}, "explore.ExploreTask", "explore"),
        (GatherTask, {"chunk": 0}, "gather.GatherTask", "explore"),
        (RelaxTask, {"chunk": 0}, "relax.RelaxTask", "explore"),
        (LabelTask, {"label": "0" * 24}, "label.LabelTask", "label"),
        (SelectTask, {}, "select.SelectTask", "train"),
        (TrainTask, {}, "train.TrainTask", "train"),
    ],
)
def test_stored_fireworks_stay_valid(
    task: type[CampaignTask], parameters: dict[str, Any], name: str, category: str
) -> None:
    """Databases hold these names: of earlier releases too."""
    made = firework(task, "title", campaign="cu", round_=2, **parameters)
    stored = made.to_dict()
    assert stored["spec"]["_tasks"][0]["_fw_name"] == f"{{{{workflows.tasks.{name}}}}}"
    assert stored["spec"]["_category"] == category
    assert made.name == "cu · round 2 · title"
    (again,) = Firework.from_dict(stored).tasks
    assert type(again) is task
    assert {"campaign": "cu", "round": 2, **parameters}.items() <= dict(again).items()


def test_a_task_of_another_package(database: Any) -> None:
    made = firework(ForeignTask, "title", campaign="cu", round_=0)
    assert made.spec["_category"] == "train"
    (task,) = Firework.from_dict(made.to_dict()).tasks
    store = Store(database)
    assert task.document(store) is None
    store.events.add("cu", "selected-0", "selected", 0)
    assert task.document(store)["ended"] == store.events.get("cu", "selected-0")["time"]


@pytest.fixture
def levels() -> Iterator[None]:
    packages = ("alflow", "workflows", "qm_interfaces")
    before = {package: logging.getLogger(package).level for package in packages}
    yield
    for package, level in before.items():
        logging.getLogger(package).setLevel(level)


@pytest.mark.parametrize(
    ("asked", "level"), [("debug", logging.DEBUG), ("WARNING", logging.WARNING), ("nonsense", logging.INFO)]
)
def test_the_level_of_the_log_is_that_of_the_environment(
    levels: None, monkeypatch: pytest.MonkeyPatch, asked: str, level: int
) -> None:
    monkeypatch.setenv(LOG_LEVEL_VARIABLE, asked)
    _configure_logging()
    assert logging.getLogger("workflows.tasks.label").getEffectiveLevel() == level
    assert logging.getLogger("pymongo").getEffectiveLevel() >= logging.WARNING  # it would log documents
