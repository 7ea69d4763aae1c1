"""Label: one configuration, one level of theory, once."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from ase import Atoms
from bson import ObjectId
from fireworks import FWAction, explicit_serialize

from alflow.campaign.sections import QM
from alflow.states import LabelProblem, LabelState, Role
from alflow.store import Store
from alflow.store.cost import Meter
from alflow.store.leased_work import is_own
from alflow.store.retries import Tries
from qm_interfaces import (
    CodeFailed,
    CodeMissing,
    LevelChanged,
    NotConverged,
    OutOfMemory,
    QMError,
    QMResult,
    Reference,
    SettingsError,
    TimedOut,
    is_energy_outlier,
    run_label,
    run_relaxation,
    validate,
)
from workflows.tasks.base import CampaignTask

KEPT_VARIABLE = "ALFLOW_KEPT_LABELS"
PROBLEMS: dict[type[QMError], LabelProblem] = {
    NotConverged: LabelProblem.NOT_CONVERGED,
    TimedOut: LabelProblem.TIMED_OUT,
    OutOfMemory: LabelProblem.OUT_OF_MEMORY,
    CodeMissing: LabelProblem.CODE_MISSING,
    SettingsError: LabelProblem.WRONG_SETTINGS,
    LevelChanged: LabelProblem.LEVEL_CHANGED,
}
REFERENCES = 200  # number of labels for comparison with an energy: enough for a median


@explicit_serialize
class LabelTask(CampaignTask):
    """Run one label. Failed attempts are repeated with twice the time, then the label fails with a reason."""

    role = Role.LABEL
    required_params: ClassVar[list[str]] = ["campaign", "round", "label"]

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        key = ObjectId(self["label"])
        label = self.wait_for(
            lambda: store.labels.claim(key), lambda: LabelState(store.labels.get(key)["state"]).is_ended
        )
        if label is not None:
            qm = store.campaigns.config(campaign).qm
            with store.labels.work.held(label), self._slot(store, qm):
                _obtain(store, qm, label, campaign, round_)
        return FWAction(stored_data=_summary(store, key))

    def document(self, store: Store) -> dict[str, Any] | None:
        return store.labels.get(ObjectId(self["label"]))

    @contextmanager
    def _slot(self, store: Store, qm: QM) -> Iterator[None]:
        """Wait for a slot of the interface and hold it; without a limit, no slot is needed."""
        limit = qm.concurrency
        if limit is None:
            yield
            return
        slot = self.wait_for(lambda: store.slots.take(qm.interface, limit))
        assert slot is not None  # no other process takes a slot for this task
        with store.slots.held(slot):
            yield

    def on_error(self, store: Store, message: str) -> None:
        label = store.labels.get(ObjectId(self["label"]))
        if is_own(label["lease"]):
            store.labels.fail(label["_id"], label["lease"]["token"], message)


def _obtain(store: Store, qm: QM, label: dict[str, Any], campaign: str, round_: int) -> None:
    """Run a claimed label until there is a result or no attempt is left."""
    key, token = label["_id"], label["lease"]["token"]
    atoms = store.configurations.atoms([label["configuration"]])[0]
    directory = Path.cwd() / f"label-{key}"
    archive = _archive(label, campaign)
    ended = _compute(store, qm, label, atoms, directory)
    if isinstance(ended.outcome, QMError):
        state = LabelState.REJECTED if isinstance(ended.outcome, LevelChanged) else LabelState.FAILED
        folder = _put_away(directory, archive, keep=qm.keep != "none")
        problem = PROBLEMS.get(type(ended.outcome), LabelProblem.CODE_FAILED)
        store.labels.fail(
            key, token, ended.outcome.reason, state=state, folder=folder, problem=problem, **ended.spent
        )
        return
    result = ended.outcome
    limits = qm.limits
    references = _references(store, campaign, round_)
    reasons = validate(atoms, result, limits, references)
    fault: LabelProblem | None = None
    if reasons:
        outlier = is_energy_outlier(atoms, result, limits, references)
        fault = LabelProblem.ENERGY_OUTLIER if outlier else LabelProblem.IMPLAUSIBLE
    keep = qm.keep == "all" or (qm.keep == "failed" and bool(reasons))
    store.labels.finish(
        key,
        token,
        energy_eV=result.energy_eV,
        forces_eV_A=result.forces_eV_A,
        stress_eV_A3=result.stress_eV_A3,
        rejections=reasons,
        problem=fault,
        relaxed=result.relaxed,
        code=result.code,
        code_version=result.code_version,
        details=result.details,
        folder=_put_away(directory, archive, keep=keep),
        **ended.spent,
    )


class _Ended(NamedTuple):
    """The end of the last attempt, and its cost."""

    outcome: QMResult | QMError
    spent: dict[str, float]


def _compute(store: Store, qm: QM, label: dict[str, Any], atoms: Atoms, directory: Path) -> _Ended:
    """Repeat attempts until one has a result or none is left."""
    run: Callable[..., QMResult] = run_label
    if label["relaxation"]:
        run = partial(run_relaxation, **label["relaxation"])
    tries, timeout_s = Tries.of(label), label["timeout_s"] or qm.timeout_s
    while (attempt := tries.next_attempt(qm.retries, timeout_s)) is not None:
        meter = Meter()
        try:
            result = run(
                qm.interface,
                qm.options,
                atoms,
                directory,
                timeout_s=attempt.timeout_s,
                attempt=attempt.number,
                memory_limit_GB=qm.memory_limit_GB,
            )
        except QMError as error:
            if not error.retryable or attempt.is_last:
                return _Ended(error, _spent(meter))
            store.labels.add_failure(label["_id"], label["lease"]["token"], error.reason, **_spent(meter))
            tries = tries.after_failure(error.reason)
        else:
            return _Ended(result, _spent(meter))
    return _Ended(CodeFailed(tries.failures[-1]), {})  # the campaign now allows fewer retries


def _spent(meter: Meter) -> dict[str, float]:
    cost = meter.cost()
    return {"wall_time_s": cost.wall_s, "processor_s": cost.processor_s}


def _archive(label: dict[str, Any], campaign: str) -> Path:
    """Path of the archive of a label's folder, if the folder is kept."""
    asked = next(request for request in label["requests"] if request["campaign"] == campaign)
    folder = Path(os.environ.get(KEPT_VARIABLE) or "labels")
    return folder.absolute() / campaign / f"{asked['round']}.{asked['number']}.tar.gz"


def _put_away(directory: Path, archive: Path, *, keep: bool) -> str | None:
    """Compress the folder of a label, or only remove it; return the location of its files."""
    keep = keep and directory.exists()
    if keep:
        try:
            archive.parent.mkdir(parents=True, exist_ok=True)
            with tarfile.open(archive, "w:gz") as packed:
                packed.add(directory, arcname=archive.name.removesuffix(".tar.gz"))
        except OSError:  # no space for the archive: the folder stays as it is
            archive.unlink(missing_ok=True)
            return str(directory)
    shutil.rmtree(directory, ignore_errors=True)
    return str(archive) if keep else None


def _references(store: Store, campaign: str, round_: int) -> list[Reference]:
    """Labels of earlier rounds only: labels of one round end in any order, which must not matter."""
    labels = store.labels.done(campaign, before_round=round_)[-REFERENCES:]
    return [Reference.of(atoms) for atoms in store.labels.structures(labels)]


def _summary(store: Store, label: ObjectId) -> dict[str, Any]:
    document = store.labels.get(label)
    keys = ("state", "reason", "energy_eV", "wall_time_s", "processor_s", "folder")
    return {key: document.get(key) for key in keys}
