"""Validation: measure the error σ of a stage's potential, and keep candidates within kσ of the hull."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from ase import Atoms
from bson import ObjectId
from fireworks import Firework

from alflow.hull import formation_energies, hull_distances, reason_to_drop, retained, sigma_of
from alflow.potentials import evaluate
from alflow.results.stored_potentials import read_potential
from alflow.selection import find_duplicate, fingerprint
from alflow.states import CampaignState, CandidateState, Dropped, LabelKind, LabelState
from alflow.store import Store
from workflows.hull_screening.phase import (
    Phase,
    choice,
    enter_learning,
    refit_stage,
    stage_version,
)
from workflows.hull_screening.schema import Screening
from workflows.labelling import request_labels


def explorations(store: Store, config: Screening, document: dict[str, Any]) -> list[Firework]:
    """No fireworks: all candidates are relaxed."""
    return []


def choose(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """Choose the elements, then relaxed candidates at logarithmically spaced ranks: densely near the hull.

    None of these candidates is equal or close to a training structure, and training never uses them.
    """
    name, stage = config.name, document["stage"]
    ids, fractions, energies_eV = store.candidates.energies(name, stage)
    elements = [ids[_lowest_element(fractions, energies_eV, index)] for index in range(len(config.species))]
    fresh = set(store.candidates.ids(name, stage, CandidateState.RELAXED)) - set(elements)
    nearest = [ids[i] for i in np.argsort(hull_distances(fractions, energies_eV), kind="stable")]
    others = [key for key in nearest if key in fresh]
    frames = [candidate["atoms"] for candidate in store.candidates.get(elements)]
    frames += _held_out(store, name, others, config.stages[stage].validation)
    labels = request_labels(store, config, document["round"], frames, LabelKind.VALIDATION, stage=stage)
    return choice(frames, labels)


def conclude(store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
    """Keep the candidates within kσ of the hull, and prepare the next stage."""
    name, stage, round_ = config.name, document["stage"], document["round"]
    errors_eV = _errors(store, config, document)
    if isinstance(errors_eV, str):
        return {"end": (CampaignState.FAILED, errors_eV)}
    settings = config.stages[stage]
    sigma_eV, k = max(sigma_of(errors_eV), settings.sigma_floor_eV), settings.keep_sigmas
    ids, fractions, energies_eV = store.candidates.energies(name, stage)
    distances_eV = hull_distances(fractions, energies_eV)
    window_eV = config.final.metastable_eV
    keep = retained(distances_eV, sigma_eV, k, window_eV)
    fresh = set(store.candidates.ids(name, stage, CandidateState.RELAXED))
    kept = {"state": CandidateState.WAITING, "stage": stage + 1, "version": None}
    store.candidates.write(
        (key, {"above_hull": distance} | (kept if keeps else _dropped(distance, sigma_eV, k, window_eV)))
        for key, distance, keeps in zip(ids, distances_eV.tolist(), keep, strict=True)
        if key in fresh
    )
    known = sigma_eV if math.isfinite(sigma_eV) else None
    facts = {"stage": stage, "sigma_eV": known, "errors_eV": errors_eV}
    store.events.add(
        name, f"sifted-{round_}", "sifted", round_, relaxed=len(ids), kept=int(keep.sum()), **facts
    )
    if stage + 1 == len(config.stages):
        return {"phase": Phase.FINAL, "stage": stage + 1}
    refit_stage(store, config, document, stage + 1)
    return enter_learning(config, stage + 1)


def _lowest_element(fractions: np.ndarray, energies_eV: np.ndarray, species: int) -> int:
    """Index of the pure-element candidate with the lowest energy."""
    pure = np.flatnonzero(fractions[:, species] == 1.0)
    return int(pure[np.argmin(energies_eV[pure])])


def _held_out(store: Store, name: str, candidates: list[ObjectId], wanted: int) -> list[Atoms]:
    """At most `wanted` candidates at logarithmically spaced ranks, or the next ones without training data."""
    trained = [fingerprint(atoms) for atoms in store.labels.structures(store.labels.to_train_on(name))]
    ranks = np.unique(np.geomspace(1, len(candidates) + 1, wanted + 1).round().astype(int)) - 1
    found = []
    for first, last in itertools.pairwise(ranks.tolist()):
        for candidate in candidates[first:last]:
            (document,) = store.candidates.get([candidate])
            if find_duplicate(fingerprint(document["atoms"]), trained) is None:
                found.append(document["atoms"])
                break
    return found


def _dropped(distance_eV: float, *limits: float) -> dict[str, Any]:
    return {
        "state": CandidateState.DROPPED,
        "dropped": Dropped.ABOVE_HULL,
        "reason": reason_to_drop(distance_eV, *limits),
    }


def _errors(store: Store, config: Screening, document: dict[str, Any]) -> np.ndarray | str:
    """Errors of the formation energies of held-out candidates, eV per atom; or the reason of their lack."""
    event = store.events.get(config.name, f"selected-{document['round']}")
    assert event is not None  # conclusion follows choice
    labels: list[ObjectId] = event["labels"]
    elements = len(config.species)
    done = [label for label in labels if store.labels.get(label)["state"] == LabelState.DONE]
    if done[:elements] != labels[:elements]:
        return (
            "an element, to which formation energies refer, could not be labelled; see `alflow labels list`"
        )
    if 2 * len(done) < elements + len(labels):
        return f"only {len(done) - elements} of {len(labels) - elements} validation labels succeeded"
    structures = store.labels.structures(done)
    potential = read_potential(store, config.name, stage_version(store, document))
    sizes = np.array([len(atoms) for atoms in structures])
    fractions = np.array(
        [[atoms.symbols.count(symbol) / len(atoms) for symbol in config.species] for atoms in structures]
    )
    mtp_eV = evaluate(potential, structures, forces=False).energy / sizes
    qm_eV = np.array([atoms.get_potential_energy() for atoms in structures]) / sizes
    predicted_eV = formation_energies(fractions, mtp_eV, mtp_eV[:elements])
    return (predicted_eV - formation_energies(fractions, qm_eV, qm_eV[:elements]))[elements:]
