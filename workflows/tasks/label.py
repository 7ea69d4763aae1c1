"""Label: one configuration, one level of theory, once."""

from __future__ import annotations

import os
import shutil
import tarfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from ase import Atoms
from bson import ObjectId
from fireworks import FWAction, explicit_serialize

from alflow.campaign.sections import QM
from alflow.store import Store
from alflow.store.labels import ENDED
from alflow.store.lease import renewed
from qm_interfaces import (
    CodeFailed,
    LabelLimits,
    LevelChanged,
    QMError,
    QMResult,
    Reference,
    run_label,
    run_relaxation,
    validate,
)
from workflows.tasks.base import CampaignTask

KEPT_VARIABLE = "ALFLOW_KEPT_LABELS"
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
        qm = store.campaigns.config(campaign).qm
        with (
            renewed(store.labels.collection, label, claimed["lease"]["token"]),
            store.slots.held(qm.interface, qm.concurrency),
        ):
            _obtain(store, qm, claimed, campaign, round_)
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
    archive = _archive(label, campaign)
    began = time.monotonic()
    try:
        result = _compute(store, qm, label, atoms, directory)
    except QMError as error:
        folder = _put_away(directory, archive, keep=qm.keep != "none")
        give_up = store.labels.reject if isinstance(error, LevelChanged) else store.labels.fail
        give_up(key, token, error.reason, wall_time_s=time.monotonic() - began, folder=folder)
        return
    limits = LabelLimits(**qm.limits.model_dump())
    reasons = validate(atoms, result, limits, _references(store, campaign, round_))
    store.labels.finish(
        key,
        token,
        energy_eV=result.energy_eV,
        forces_eV_A=result.forces_eV_A,
        stress_eV_A3=result.stress_eV_A3,
        rejections=reasons,
        relaxed=result.relaxed,
        code=result.code,
        code_version=result.code_version,
        wall_time_s=time.monotonic() - began,
        details=result.details,
        folder=_put_away(
            directory, archive, keep=qm.keep == "all" or (qm.keep == "failed" and bool(reasons))
        ),
    )


def _compute(store: Store, qm: QM, label: dict[str, Any], atoms: Atoms, directory: Path) -> QMResult:
    """The result of the first attempt that has one; raises QMError when none is left."""
    timeout_s = label["timeout_s"] or qm.timeout_s
    run: Callable[..., QMResult] = run_label
    if label["relaxation"]:
        run = partial(run_relaxation, **label["relaxation"])
    for attempt in range(len(label["failures"]) + 1, qm.retries + 2):
        try:
            return run(
                qm.interface,
                qm.options,
                atoms,
                directory,
                timeout_s=timeout_s * 2 ** (attempt - 1),
                attempt=attempt,
                memory_limit_GB=qm.memory_limit_GB,
            )
        except QMError as error:
            if not error.retryable or attempt > qm.retries:
                raise
            store.labels.add_failure(label["_id"], label["lease"]["token"], error.reason)
    raise CodeFailed(label["failures"][-1])  # its worker died before it could give the label up


def _archive(label: dict[str, Any], campaign: str) -> Path:
    """Where the folder of a label is kept, if it is."""
    asked = next(request for request in label["requests"] if request["campaign"] == campaign)
    folder = Path(os.environ.get(KEPT_VARIABLE) or "labels")
    return folder.absolute() / campaign / f"{asked['round']}.{asked['number']}.tar.gz"


def _put_away(directory: Path, archive: Path, *, keep: bool) -> str | None:
    """Compress the folder of a label, or only remove it; where its files are."""
    keep = keep and directory.exists()
    if keep:
        try:
            archive.parent.mkdir(parents=True, exist_ok=True)
            with tarfile.open(archive, "w:gz") as packed:
                packed.add(directory, arcname=archive.name.removesuffix(".tar.gz"))
        except OSError:  # no room to pack it: it stays as it is
            archive.unlink(missing_ok=True)
            return str(directory)
    shutil.rmtree(directory, ignore_errors=True)
    return str(archive) if keep else None


def _references(store: Store, campaign: str, round_: int) -> list[Reference]:
    """Labels of earlier rounds; those of the same round end in any order, which must not matter."""
    labels = store.labels.done(campaign, before_round=round_)[-REFERENCES:]
    return [Reference.of(atoms) for atoms in store.labels.structures(labels)]


def _summary(store: Store, label: ObjectId) -> dict[str, Any]:
    document = store.labels.get(label)
    keys = ("state", "reason", "energy_eV", "wall_time_s", "folder")
    return {key: document.get(key) for key in keys}
