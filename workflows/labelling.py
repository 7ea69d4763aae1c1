"""Request labels: one per configuration and level of theory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from bson import ObjectId

from alflow.campaign.kinds import CampaignSettings
from alflow.campaign.sections import QM
from alflow.states import LabelKind, LabelProblem, LabelState
from alflow.store import Store
from qm_interfaces import get_interface, relaxation_level

CLEAR_OFFSETS = 5.0  # standard deviations of the imported energies
LEAST_OFFSET_EV = 0.2  # per atom; thermal energies and defects stay below


def level_of_theory(qm: QM) -> dict[str, Any]:
    """The level of theory, which identifies a label together with its configuration.

    Raises
    ------
    qm_interfaces.SettingsError
        If the interface rejects its options.
    """
    return get_interface(qm.interface, **qm.options).level_of_theory()


def request_labels(
    store: Store,
    config: CampaignSettings,
    round_: int,
    structures: Sequence[Atoms],
    kind: LabelKind,
    *,
    stage: int | None = None,
    relaxation: Mapping[str, Any] | None = None,
    timeout_s: float | None = None,
    first: int = 1,
) -> list[ObjectId]:
    """Store configurations and request their labels, numbered in this order.

    Parameters
    ----------
    structures
        Their `info` is stored as the origin of the configurations.
    kind
        Purpose of the labels; it decides whether they are training data.
    stage
        Stage of a screening, from 0.
    relaxation
        Settings of `qm_interfaces.run_relaxation`: the labels describe the relaxed structures.
    timeout_s
        Time limit of the first attempt, instead of the campaign's.
    first
        Number of the first label.
    """
    level = level_of_theory(config.qm)
    if relaxation is not None:
        level = relaxation_level(level, **{k: v for k, v in relaxation.items() if k != "steps"})
    labels = []
    for number, atoms in enumerate(structures, start=first):
        origin = {"campaign": config.name, "round": round_, **atoms.info}
        labels.append(
            store.labels.request(
                store.configurations.add(atoms, origin),
                level,
                campaign=config.name,
                round_=round_,
                number=number,
                kind=kind,
                stage=stage,
                relaxation=relaxation,
                timeout_s=timeout_s,
            )
        )
    return labels


def other_reference(store: Store, name: str, file: str) -> str:
    """Why new labels are rejected: the energies of the imported file have another reference; or empty.

    One energy per element is fitted to the imported labels; what is left of the rejected ones is compared
    with what it leaves of the imported ones. The structures differ, so only large differences are told.
    """
    labels = store.labels.find(name)
    imported = [one["_id"] for one in labels if one["kind"] == LabelKind.IMPORTED]
    new = [one for one in labels if one["kind"] == LabelKind.EXTRAPOLATIVE]
    rejected = [
        one["_id"]
        for one in new
        if one["state"] == LabelState.REJECTED and one.get("problem") == LabelProblem.ENERGY_OUTLIER
    ]
    if not imported or not rejected or any(one["state"] == LabelState.DONE for one in new):
        return ""
    known = store.labels.structures(imported)
    species = sorted({symbol for atoms in known for symbol in atoms.symbols})

    def rows(structures: Sequence[Atoms]) -> tuple[np.ndarray, np.ndarray]:
        fractions = [[atoms.symbols.count(s) / len(atoms) for s in species] for atoms in structures]
        energies = [atoms.get_potential_energy() / len(atoms) for atoms in structures]
        return np.array(fractions), np.array(energies)

    fractions, energies = rows(known)
    per_element = np.linalg.lstsq(fractions, energies, rcond=None)[0]
    spread = np.std(energies - fractions @ per_element)
    fractions, energies = rows(store.labels.structures(rejected))
    offsets = energies - fractions @ per_element
    if abs(offsets).min() < max(CLEAR_OFFSETS * spread, LEAST_OFFSET_EV) or np.ptp(np.sign(offsets)):
        return ""
    return (
        f"new labels lie {abs(np.median(offsets)):.3g} eV/atom from those of {Path(file).name}, whose "
        "energies have another reference or level of theory: `alflow check` tells whether "
        "`initial.energy_shift_eV` mends it; then give the campaign a new name"
    )


def last_failure(store: Store, name: str, round_: int) -> str:
    """The reason of the latest failed or rejected label for training of a round; empty if there is none."""
    unsuccessful = (LabelState.FAILED, LabelState.REJECTED)
    failed = [
        label for label in store.labels.find(name) if label["state"] in unsuccessful and not label["held_out"]
    ]
    recent = [label["reason"] for label in failed if label["round"] == round_]
    return f"the last one: {recent[-1]}" if recent else ""
