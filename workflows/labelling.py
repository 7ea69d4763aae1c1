"""Ask for labels: configuration × level of theory, at most once."""

from __future__ import annotations

from typing import Any

from ase import Atoms
from bson import ObjectId

from alflow.campaign.file import AnyCampaign
from alflow.campaign.sections import QM
from alflow.store import Store
from qm_interfaces import get_interface, relaxation_level


def level_of_theory(qm: QM) -> dict[str, Any]:
    """What identifies labels of these settings, beside the configuration.

    Raises
    ------
    qm_interfaces.SettingsError
        If the interface refuses its options.
    """
    return get_interface(qm.interface, **qm.options).level_of_theory()


def request_labels(
    store: Store,
    config: AnyCampaign,
    round_: int,
    structures: list[Atoms],
    source: dict[str, Any],
    *,
    held_out: bool = False,
    relaxation: dict[str, Any] | None = None,
    timeout_s: float | None = None,
) -> list[ObjectId]:
    """Store configurations and ask for their labels; ids of the labels.

    Labels that are `held_out` are not trained on. With `relaxation` (settings of
    `qm_interfaces.run_relaxation`) they are of what the configurations relax to.
    """
    level = level_of_theory(config.qm)
    if relaxation is not None:
        level = relaxation_level(level, **{k: v for k, v in relaxation.items() if k != "steps"})
    labels = []
    for number, atoms in enumerate(structures, start=1):
        origin = {"campaign": config.name, "round": round_, **source, **atoms.info}
        configuration = store.configurations.add(atoms, origin)
        labels.append(
            store.labels.request(
                configuration,
                level,
                campaign=config.name,
                round_=round_,
                number=number,
                held_out=held_out,
                relaxation=relaxation,
                timeout_s=timeout_s,
            )
        )
    return labels


def last_failure(store: Store, name: str, round_: int) -> str:
    """Why the latest label of a round failed or was rejected; empty if none was."""
    failed = [label for label in store.labels.find(name) if label["state"] in ("failed", "rejected")]
    recent = [label["reason"] for label in failed if label["round"] == round_]
    return f"the last one: {recent[-1]}" if recent else ""
