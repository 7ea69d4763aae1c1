"""Final: quantum mechanics relaxes the remaining candidates, and its energies define the hull."""

from __future__ import annotations

from typing import Any

from ase import units
from bson import ObjectId
from fireworks import Firework

from alflow.errors import InputError
from alflow.hull import hull_distances
from alflow.states import CampaignState, CandidateState, Dropped, LabelKind, LabelState
from alflow.store import Store
from workflows.hull_screening.phase import choice
from workflows.hull_screening.schema import Screening
from workflows.labelling import request_labels


def explorations(store: Store, config: Screening, document: dict[str, Any]) -> list[Firework]:
    """No fireworks: relaxations by quantum mechanics are labels."""
    return []


def choose(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """The next candidates to relax."""
    members = store.candidates.ids(
        config.name, document["stage"], CandidateState.WAITING, limit=config.final.per_round
    )
    frames = [candidate["atoms"] for candidate in store.candidates.get(members)]
    goal = config.final.relaxation
    relaxation = {
        "fmax_eV_A": goal.max_force_eV_A,
        "smax_eV_A3": goal.max_stress_GPa * units.GPa,
        "steps": goal.steps,
        "pressure_GPa": config.screen.pressure_GPa,
    }
    labels = request_labels(
        store,
        config,
        document["round"],
        frames,
        LabelKind.FINAL,
        stage=document["stage"],
        relaxation=relaxation,
        timeout_s=config.final.timeout_s,
    )
    return choice(frames, labels, members=members)


def conclude(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """Store final energies; once all are there, build the hull and end the campaign."""
    name, stage = config.name, document["stage"]
    event = store.events.get(name, f"selected-{document['round']}")
    assert event is not None  # conclusion follows choice
    store.candidates.write(
        (candidate, _relaxed(store, stage, label))
        for candidate, label in zip(event["members"], event["labels"], strict=True)
    )
    if store.candidates.ids(name, stage, CandidateState.WAITING, limit=1):
        return {}
    ids, fractions, energies_eV = store.candidates.energies(name, stage)
    try:
        distances_eV = hull_distances(fractions, energies_eV)
    except InputError as error:
        return {"end": (CampaignState.FAILED, f"there is no hull: {error}")}
    store.candidates.write(
        (key, {"above_hull": float(distance_eV)}) for key, distance_eV in zip(ids, distances_eV, strict=True)
    )
    stable = int((distances_eV == 0).sum())
    return {"end": (CampaignState.FINISHED, f"{stable} structures are on the hull; `alflow hull` shows them")}


def _relaxed(store: Store, stage: int, label: ObjectId) -> dict[str, Any]:
    document = store.labels.get(label)
    if document["state"] != LabelState.DONE:
        reason = f"relaxation by quantum mechanics {document['state']}: {document['reason']}"
        return {
            "state": CandidateState.DROPPED,
            "dropped": Dropped.QM_FAILED,
            "reason": reason,
            "label": label,
        }
    (atoms,) = store.labels.structures([label])
    return {
        "state": CandidateState.FINAL,
        "atoms": atoms,
        f"energies.{stage}": document["energy_eV"] / len(atoms),
        "label": label,
    }
