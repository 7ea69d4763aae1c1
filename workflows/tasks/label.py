"""Label: one configuration, one level of theory, once."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, ClassVar

from bson import ObjectId
from fireworks import FWAction, explicit_serialize

from alflow.config import QM
from alflow.store import Store
from alflow.store.labels import ENDED, FAILED
from alflow.store.lease import renewed
from qm_interfaces import LabelLimits, QMError, QMResult, Reference, run_label, validate
from workflows.tasks.base import CampaignTask

POLL_S = 0.5
REFERENCES = 200  # labels that an energy is compared with: enough for a median


@explicit_serialize
class LabelTask(CampaignTask):
    """One label; failures are retried with twice the time, then kept with their reason."""

    required_params: ClassVar[list[str]] = ["campaign", "round", "label"]

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        label = ObjectId(self["label"])
        while (claimed := store.labels.claim(label)) is None:
            if store.labels.get(label)["state"] in ENDED:
                return FWAction(stored_data=_summary(store, label))
            time.sleep(POLL_S)  # another worker has it: its result comes, or its lease ends
        with renewed(store.labels.collection, label, claimed["lease"]["token"]):
            _obtain(store, store.campaigns.config(campaign).qm, claimed, campaign, round_)
        return FWAction(stored_data=_summary(store, label))

    def on_error(self, store: Store, message: str) -> None:
        label = store.labels.get(ObjectId(self["label"]))
        if label["lease"] is not None:
            store.labels.fail(label["_id"], label["lease"]["token"], message)


def _obtain(store: Store, qm: QM, label: dict[str, Any], campaign: str, round_: int) -> None:
    """Run a claimed label until there is a result or no attempt is left."""
    key, token = label["_id"], label["lease"]["token"]
    atoms = store.configurations.atoms([label["configuration"]])[0]
    directory = Path.cwd() / f"label-{key}"
    for attempt in range(len(label["failures"]) + 1, qm.retries + 2):
        try:
            result = run_label(
                qm.interface,
                qm.options,
                atoms,
                directory,
                timeout_s=qm.timeout_s * 2 ** (attempt - 1),
                attempt=attempt,
            )
        except QMError as error:
            if error.retryable and attempt <= qm.retries:
                store.labels.add_failure(key, token, error.reason)
                continue
            store.labels.fail(key, token, error.reason)
            return
        reasons = validate(
            atoms, result, LabelLimits(**qm.limits.model_dump()), _references(store, campaign, round_)
        )
        _finish(store, label, result, reasons)
        shutil.rmtree(directory, ignore_errors=True)
        return
    store.labels.fail(key, token, label["failures"][-1])


def _finish(store: Store, label: dict[str, Any], result: QMResult, reasons: list[str]) -> None:
    store.labels.finish(
        label["_id"],
        label["lease"]["token"],
        energy_eV=result.energy_eV,
        forces_eV_A=result.forces_eV_A,
        stress_eV_A3=result.stress_eV_A3,
        rejections=reasons,
        code=result.code,
        code_version=result.code_version,
        wall_time_s=result.wall_time_s,
        details=result.details,
    )


def _references(store: Store, campaign: str, round_: int) -> list[Reference]:
    """Labels of earlier rounds; those of the same round end in any order, which must not matter."""
    labels = store.labels.done(campaign, before_round=round_)[-REFERENCES:]
    return [Reference(a.numbers, a.get_potential_energy()) for a in store.labels.structures(labels)]


def _summary(store: Store, label: ObjectId) -> dict[str, Any]:
    document = store.labels.get(label)
    keys = (
        ("state", "reason", "energy_eV", "wall_time_s")
        if document["state"] != FAILED
        else ("state", "reason")
    )
    return {key: document.get(key) for key in keys}
