"""Request labels: one per configuration and level of theory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ase import Atoms
from bson import ObjectId

from alflow.campaign.kinds import CampaignSettings
from alflow.campaign.sections import QM
from alflow.states import LabelKind, LabelState
from alflow.store import Store
from qm_interfaces import get_interface, relaxation_level


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


def last_failure(store: Store, name: str, round_: int) -> str:
    """The reason of the latest failed or rejected label for training of a round; empty if there is none."""
    unsuccessful = (LabelState.FAILED, LabelState.REJECTED)
    failed = [
        label for label in store.labels.find(name) if label["state"] in unsuccessful and not label["held_out"]
    ]
    recent = [label["reason"] for label in failed if label["round"] == round_]
    return f"the last one: {recent[-1]}" if recent else ""
