"""Validation frames: drawn at random steps, labelled once, never trained on, and the campaign's headline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alflow.cli.campaign_views import overview
from alflow.errors import InputError
from alflow.results import read_validations, read_versions
from alflow.results.validation import read_validation_set
from alflow.selection import find_duplicate, fingerprint
from alflow.states import LabelKind
from qm_interfaces import CodeFailed
from workflows.active_learning.procedure import _released
from workflows.active_learning.schema import ActiveLearning
from workflows.submission import submit
from workflows.tasks import label as label_task

Make = Callable[..., ActiveLearning]


def test_they_are_labelled_and_never_trained_on(
    stage: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    config = make_campaign(validation={"labels": 12})
    submit(stage.store, stage.launchpad, config)
    assert stage.work()["reason"] == "all explorers finished"
    labels = stage.store.labels.find("cu")
    held = [label for label in labels if label["kind"] == LabelKind.VALIDATION]
    assert 8 <= len(held) <= 12
    assert len(labels_in_process) == len(set(labels_in_process)) == len(labels)
    assert len({label["configuration"] for label in labels}) == len(labels)
    assert len({(label["round"], label["number"]) for label in labels}) == len(labels)
    trained = stage.store.potentials.label_ids(stage.store.potentials.latest("cu"))
    assert not {label["_id"] for label in held} & set(trained)
    training = [fingerprint(atoms) for atoms in stage.store.labels.structures(trained)]
    found = read_validation_set(stage.store, "cu")
    assert all(find_duplicate(fingerprint(atoms), training) is None for atoms in found.structures)

    *_, last = read_validations(stage.store, "cu")
    *_, newest = read_versions(stage.store, "cu")
    assert newest.validation is not None
    assert last.errors.frames == newest.validation.frames
    assert last.errors.force_rmse_eV_A.high == pytest.approx(newest.validation.force_rmse_eV_A.high)
    assert newest.unseen.energies.size + len(held) <= len(labels)
    facts = overview(stage.store, "cu")
    assert f"{len(held)} frames" in facts.errors
    assert facts.as_dict()["validation"]["frames"] == len(held)

    # A run that could only learn from a near-duplicate of a validation frame gets that frame.
    twin = found.structures[0].copy()
    twin.positions += 0.0005 * np.sin(np.arange(3 * len(twin))).reshape(-1, 3)
    (released,) = _released(stage.store, config, 99, [twin])
    assert released == found.labels[0]
    assert released in stage.store.labels.to_train_on("cu")
    assert released not in read_validation_set(stage.store, "cu").labels


def test_failing_validation_labels_neither_stop_the_loop_nor_count_as_barren(
    stage: Any, make_campaign: Make, labels_in_process: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = label_task.run_label

    def fails(*arguments: Any, **more: Any) -> Any:
        key = str(arguments[3].name).removeprefix("label-")
        kinds = {str(one["_id"]): one["kind"] for one in stage.store.labels.find("cu")}
        if kinds[key] == LabelKind.VALIDATION:
            raise CodeFailed("no licence")
        return compute(*arguments, **more)

    monkeypatch.setattr("workflows.tasks.label.run_label", fails)
    submit(stage.store, stage.launchpad, make_campaign(validation={"labels": 8}))
    assert stage.work()["reason"] == "all explorers finished"
    assert stage.store.labels.counts("cu")["failed"] > 3
    assert read_validations(stage.store, "cu") == []


def test_the_campaign_ends_on_its_validation_error(
    stage: Any, make_campaign: Make, labels_in_process: list[str]
) -> None:
    stop = {"validation_force_rmse_eV_A": 9.0}
    submit(stage.store, stage.launchpad, make_campaign(validation={"labels": 40}, stop=stop))
    end = stage.work()
    assert end["state"] == "finished"
    assert end["reason"].startswith("the validation force RMSE is 0.")
    with pytest.raises(InputError, match=r"validation_force_rmse_eV_A is 9, but validation.labels is 0"):
        make_campaign(stop=stop)


def test_they_count_towards_max_labels(stage: Any, make_campaign: Make, labels_in_process: list[str]) -> None:
    limits = {"max_labels": 6}
    submit(stage.store, stage.launchpad, make_campaign(validation={"labels": 30}, stop=limits))
    stage.work()
    assert len(stage.store.labels.find("cu")) <= 6
