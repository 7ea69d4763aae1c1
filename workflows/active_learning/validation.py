"""Validation: label frames at random steps of the runs, and measure the potential's error on them.

The error is that of a step drawn at random from the explored configurations, all runs alike. Frames that an
early, poor version explored are among them, as are extrapolative ones in proportion to their number.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ase import Atoms
from bson import ObjectId

from alflow.potentials.estimates import EstimatedErrors, estimate_errors
from alflow.results.stored_potentials import read_potential
from alflow.results.validation import read_validation_set
from alflow.selection import Fingerprint, find_duplicate, fingerprint
from alflow.selection.random_frames import RandomFrames
from alflow.states import LabelKind
from alflow.store import Store
from workflows.active_learning.schema import ActiveLearning
from workflows.labelling import request_labels


@dataclass(frozen=True)
class Drawn:
    """Validation frames of a round.

    Attributes
    ----------
    structures
    prints
        Their fingerprints.
    """

    structures: Sequence[Atoms] = ()
    prints: Sequence[Fingerprint] = ()


def random_frames(config: ActiveLearning, runs: int, run: dict[str, Any], passes: int) -> RandomFrames:
    """The random steps of a pass of a run."""
    return RandomFrames.of_run(config.validation, config.name, runs, run["index"], passes, run["steps"])


def draw(
    store: Store, config: ActiveLearning, round_: int, known: Sequence[Fingerprint], budget: int
) -> Drawn:
    """Draw frames at random steps up to the checkpoints, as many as are due; repetition draws the same.

    Near-duplicates of `known` structures are left out: the potential may be trained on them.
    """
    name = config.name
    if not config.validation.labels:
        return Drawn()
    runs = store.explorers.all(name)
    by_name = {run["name"]: run for run in runs}
    earlier = _earlier(store, name, round_)
    drawn = {(frame["explorer"], frame["pass"], frame["step"]) for frame in earlier.values()}
    due = 0.0
    for run in runs:
        plan = random_frames(config, len(runs), run, run["passes"])
        due += plan.share * run["passes"] + plan.expected(run.get("saved_step") or 0)
    wanted = min(round(due), config.validation.labels) - len(earlier)
    frames: list[tuple[float, RandomFrames, Atoms]] = []
    if min(wanted, budget) > 0:
        for atoms in store.explorers.samples(name):
            run = by_name[atoms.info["explorer"]]
            plan = random_frames(config, len(runs), run, atoms.info["pass"])
            if (run["index"], atoms.info["pass"], atoms.info["step"]) not in drawn:
                frames.append((plan.rank(atoms.info["step"]), plan, atoms))
    prints: list[Fingerprint] = []
    chosen: list[tuple[RandomFrames, Atoms]] = []
    for _, plan, atoms in sorted(frames, key=lambda frame: frame[0]):
        if len(chosen) >= min(wanted, budget):
            break
        if find_duplicate(own := fingerprint(atoms), [*known, *prints]) is None:
            prints.append(own)
            chosen.append((plan, atoms))
    return Drawn([atoms for _, atoms in chosen], prints)


def request(
    store: Store, config: ActiveLearning, round_: int, drawn: Drawn, first: int
) -> tuple[list[ObjectId], list[dict[str, Any]]]:
    """Request the labels of drawn frames, numbered from `first`; the labels, and facts for the event.

    The facts are the new frames, and earlier ones whose weight has changed; each has
    ``label, explorer, pass, step, probability, weight``.
    """
    if not config.validation.labels:
        return [], []
    runs = store.explorers.all(config.name)
    by_name = {run["name"]: run for run in runs}
    labels = request_labels(store, config, round_, drawn.structures, LabelKind.VALIDATION, first=first)
    new = [
        {
            "label": label,
            "explorer": by_name[atoms.info["explorer"]]["index"],
            "pass": atoms.info["pass"],
            "step": int(atoms.info["step"]),
            "probability": 0.0,
        }
        for label, atoms in zip(labels, drawn.structures, strict=True)
    ]
    earlier = _earlier(store, config.name, round_)
    facts = [_weighted(frame, config, runs) for frame in [*earlier.values(), *new]]
    return labels, [fact for fact in facts if fact != earlier.get(fact["label"])]


def measure(store: Store, config: ActiveLearning, round_: int) -> EstimatedErrors | None:
    """Measure the newest version's error on all validation frames and store it; None without any frame."""
    found = read_validation_set(store, config.name)
    newest = store.potentials.latest(config.name)
    if newest is None or not found.labels:
        return None
    potential = read_potential(store, config.name, newest["version"])
    threads = len(os.sched_getaffinity(0))
    errors = estimate_errors(potential, found.structures, found.weights, threads=threads)
    store.events.add(
        config.name,
        f"validated-{round_}",
        "validated",
        round_,
        version=newest["version"],
        errors=errors.as_dict(),
    )
    return errors


def _earlier(store: Store, name: str, round_: int) -> dict[ObjectId, dict[str, Any]]:
    """The frames drawn in earlier rounds by label, with their newest weights."""
    return {
        frame["label"]: frame
        for event in store.events.find(name, "selected")
        if event["round"] < round_
        for frame in event.get("validation", [])
    }


def _weighted(
    frame: dict[str, Any], config: ActiveLearning, runs: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The frame with its weight: the part of its run for which it stands.

    If the user has raised `labels` or the length of a run since, the highest probability with which the frame
    could have been drawn counts.
    """
    run = next(run for run in runs if run["index"] == frame["explorer"])
    plan = random_frames(config, len(runs), run, frame["pass"])
    probability = max(frame["probability"], plan.probability(frame["step"]))
    return frame | {"probability": probability, "weight": 1.0 / (probability * plan.length)}
