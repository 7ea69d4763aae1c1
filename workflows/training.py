"""Refit a campaign's potential to its labels and store it as the next version."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Sequence
from typing import Any

from alflow.potentials import FitSettings
from alflow.potentials.registry import POTENTIALS
from alflow.potentials.settings import PotentialSettings
from alflow.results.stored_potentials import read_potential
from alflow.selection import ActiveSet, Mode
from alflow.store import Store


def refit(
    store: Store,
    name: str,
    round_: int,
    *,
    species: Sequence[str],
    form: PotentialSettings,
    settings: FitSettings,
    mode: Mode = "neighborhood",
    stage: int = 0,
) -> bool:
    """Fit a new version to all finished labels, from the stage's last version; False without new labels."""
    labels = store.labels.to_train_on(name)
    newest, last = store.potentials.latest(name), store.potentials.latest(name, stage=stage)
    if not labels or (last is not None and set(labels) == set(store.potentials.label_ids(last))):
        return last is not None and last["round"] == round_
    began = time.monotonic()
    structures = store.labels.structures(labels)
    kind = POTENTIALS.get(form.kind)
    result = kind.fit(
        structures,
        species=species,
        form=form,
        settings=settings,
        start=None if last is None else read_potential(store, name, last["version"]),
        threads=len(os.sched_getaffinity(0)),
    )
    content = result.potential.to_bytes()
    # The active set belongs to the potential that explorers read: a file may hold fewer digits.
    fitted = kind.from_bytes(content, species, "the fitted potential")
    store.potentials.add(
        name,
        1 if newest is None else newest["version"] + 1,
        kind=form.kind,
        content=content,
        active_set=ActiveSet.from_structures(fitted, structures, mode).to_bytes(),
        labels=labels,
        errors=_plain(dataclasses.asdict(result.train)),
        round=round_,
        stage=stage,
        loss=result.loss,
        seconds=time.monotonic() - began,
    )
    return True


def _plain(errors: dict[str, Any]) -> dict[str, Any]:
    return {
        key: float(value) for key, value in errors.items() if math.isfinite(value) and key != "structures"
    }
