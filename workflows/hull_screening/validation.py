"""Validation: measure the error σ of a stage's potential, and keep what is within kσ of the hull."""

from __future__ import annotations

from typing import Any

import numpy as np
from bson import ObjectId
from fireworks import Firework

from alflow.config_screening import Screening
from alflow.hull import formation_energies, hull_distances, reason_to_drop, retained, sigma_of
from alflow.mtp import evaluate
from alflow.store import Store
from alflow.store.campaigns import FAILED
from alflow.store.candidates import DROPPED, RELAXED, WAITING
from alflow.store.labels import DONE
from workflows.hull_screening.phase import (
    Phase,
    choice,
    enter_learning,
    lowest_element,
    refit_stage,
    stage_version,
)
from workflows.labelling import request_labels
from workflows.training import read_potential

MIN_VALIDATED = 5  # labels that an error can be measured with


def explorations(store: Store, config: Screening, document: dict[str, Any]) -> list[Firework]:
    """None: everything is relaxed."""
    return []


def choose(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """The elements, then relaxed candidates at ranks evenly spaced in the logarithm: dense near the hull."""
    name, stage = config.name, document["stage"]
    ids, fractions, energies_eV = store.candidates.energies(name, stage)
    elements = [ids[lowest_element(fractions, energies_eV, index)] for index in range(len(config.species))]
    fresh = set(store.candidates.ids(name, stage, RELAXED)) - set(elements)
    nearest = [ids[i] for i in np.argsort(hull_distances(fractions, energies_eV), kind="stable")]
    others = [key for key in nearest if key in fresh]
    held_out = [others[rank] for rank in _ranks(len(others), config.stages[stage].validation)]
    frames = [candidate["atoms"] for candidate in store.candidates.get([*elements, *held_out])]
    source = {"kind": "validation", "stage": stage}
    return choice(frames, request_labels(store, config, document["round"], frames, source))


def conclude(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """Keep what is within kσ of the hull, and prepare the next stage."""
    name, stage, round_ = config.name, document["stage"], document["round"]
    errors_eV = _errors(store, config, document)
    if isinstance(errors_eV, str):
        return {"end": (FAILED, errors_eV)}
    settings = config.stages[stage]
    sigma_eV, k = max(sigma_of(errors_eV), settings.sigma_floor_eV), settings.keep_sigmas
    ids, fractions, energies_eV = store.candidates.energies(name, stage)
    distances_eV = hull_distances(fractions, energies_eV)
    keep = retained(distances_eV, sigma_eV, k)
    fresh = set(store.candidates.ids(name, stage, RELAXED))
    store.candidates.write(
        (key, _sifted(float(distance_eV), sigma_eV, k, stage, bool(kept)))
        for key, distance_eV, kept in zip(ids, distances_eV, keep, strict=True)
        if key in fresh
    )
    facts = {"stage": stage, "sigma_eV": sigma_eV, "errors_eV": errors_eV}
    store.events.add(
        name, f"sifted-{round_}", "sifted", round_, relaxed=len(ids), kept=int(keep.sum()), **facts
    )
    if stage + 1 == len(config.stages):
        return {"phase": Phase.FINAL, "stage": stage + 1}
    refit_stage(store, config, document, stage + 1)
    return enter_learning(config, stage + 1)


def _ranks(available: int, wanted: int) -> list[int]:
    """Ranks from 0, at most `wanted`, evenly spaced in the logarithm."""
    if available == 0:
        return []
    return (np.unique(np.geomspace(1, available, wanted).round().astype(int)) - 1).tolist()


def _sifted(distance_eV: float, sigma_eV: float, k: float, stage: int, kept: bool) -> dict[str, Any]:
    if kept:
        return {"above_hull": distance_eV, "state": WAITING, "stage": stage + 1, "version": None}
    return {
        "above_hull": distance_eV,
        "state": DROPPED,
        "reason": reason_to_drop(distance_eV, sigma_eV, k),
    }


def _errors(store: Store, config: Screening, document: dict[str, Any]) -> np.ndarray | str:
    """Errors of the formation energies of held-out candidates, eV per atom; or why there are none."""
    event = store.events.get(config.name, f"selected-{document['round']}")
    assert event is not None  # conclusion follows choice
    labels: list[ObjectId] = event["labels"]
    elements = len(config.species)
    done = [label for label in labels if store.labels.get(label)["state"] == DONE]
    if done[:elements] != labels[:elements]:
        return (
            "an element, to which formation energies refer, could not be labelled; see `alflow labels list`"
        )
    if len(done) < elements + MIN_VALIDATED:
        return f"only {len(done) - elements} of {len(labels) - elements} validation labels succeeded"
    structures = store.labels.structures(done)
    potential = read_potential(store, config.name, config.species, stage_version(store, document))
    sizes = np.array([len(atoms) for atoms in structures])
    fractions = np.array(
        [[atoms.symbols.count(symbol) / len(atoms) for symbol in config.species] for atoms in structures]
    )
    mtp_eV = evaluate(potential, structures, forces=False).energy / sizes
    qm_eV = np.array([atoms.get_potential_energy() for atoms in structures]) / sizes
    predicted_eV = formation_energies(fractions, mtp_eV, mtp_eV[:elements])
    return (predicted_eV - formation_energies(fractions, qm_eV, qm_eV[:elements]))[elements:]
