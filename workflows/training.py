"""Refit a campaign's potential to its labels and store it as the next version."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from typing import Any

from alflow.campaign.sections import Fit, Potential
from alflow.potentials import MomentTensorPotential, mtp_from_text, mtp_to_text
from alflow.potentials.mtp.fitting import FitSettings, fit
from alflow.selection import ActiveSet
from alflow.selection.rows import Mode
from alflow.store import Store


def refit(
    store: Store,
    name: str,
    round_: int,
    *,
    species: list[str],
    potential: Potential,
    settings: Fit,
    mode: Mode,
    stage: int = 0,
) -> bool:
    """Fit a new version to all finished labels, from the stage's last one; False if there is nothing new."""
    labels = store.labels.to_train_on(name)
    newest, last = store.potentials.latest(name), store.potentials.latest(name, stage=stage)
    if not labels or (last is not None and set(labels) == set(store.potentials.label_ids(last))):
        return last is not None and last["round"] == round_
    began = time.monotonic()
    structures = store.labels.structures(labels)
    result = fit(
        structures,
        species=species,
        level=potential.level,
        cutoff_A=potential.cutoff_A,
        min_distance_A=potential.min_distance_A,
        settings=_fit_settings(settings, potential, refit=last is not None),
        start=None if last is None else read_potential(store, name, species, last["version"]),
    )
    mtp = mtp_to_text(result.potential)
    fitted = mtp_from_text(mtp, species, "")  # the active set belongs to what explorers will read
    store.potentials.add(
        name,
        1 if newest is None else newest["version"] + 1,
        mtp=mtp,
        active_set=ActiveSet.from_structures(fitted, structures, mode).to_bytes(),
        labels=labels,
        errors=_plain(dataclasses.asdict(result.train)),
        round=round_,
        stage=stage,
        loss=result.loss,
        seconds=time.monotonic() - began,
    )
    return True


def read_potential(store: Store, name: str, species: list[str], version: int) -> MomentTensorPotential:
    """A version of a campaign's potential."""
    return mtp_from_text(store.potentials.mtp(name, version), species, f"version {version}")


def read_active_set(store: Store, name: str, version: int) -> ActiveSet:
    """The active set of a version of a campaign's potential."""
    return ActiveSet.from_bytes(store.potentials.active_set(name, version))


def _fit_settings(settings: Fit, potential: Potential, *, refit: bool) -> FitSettings:
    values = settings.model_dump()
    refit_iterations = values.pop("refit_iterations")
    if refit:
        values.update(max_iterations=refit_iterations, starts=1)
    return FitSettings(
        **values, radial_basis_size=potential.radial_basis_size, threads=len(os.sched_getaffinity(0))
    )


def _plain(errors: dict[str, Any]) -> dict[str, Any]:
    return {
        key: float(value) for key, value in errors.items() if math.isfinite(value) and key != "structures"
    }
