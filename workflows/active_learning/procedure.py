"""Active learning on the fly: explorers run until the potential extrapolates too far.

Each round continues the explorers, labels the most useful candidates, and refits. Round 0 has no explorers,
because there is no potential yet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ase import Atoms
from bson import ObjectId
from fireworks import Firework

from alflow.errors import InputError
from alflow.explorers import EXPLORERS
from alflow.results.stored_potentials import read_active_set, read_potential
from alflow.selection import Fingerprint, find_duplicate, fingerprint, select
from alflow.states import CampaignState, LabelKind, LabelState, RunState
from alflow.store import Store
from alflow.store.cost import processor_hours
from alflow.store.labels import level_hash
from alflow.structures.displaced import displaced, distinct
from alflow.structures.energy_references import shifted
from alflow.structures.files import log_notes, read_file
from alflow.structures.isolated import isolated_atoms
from alflow.structures.reading import Reading
from workflows.active_learning import validation
from workflows.active_learning.isolated import IsolatedAtomMissing, with_isolated_atoms
from workflows.active_learning.runs import all_runs, make_plan
from workflows.active_learning.schema import ActiveLearning
from workflows.campaign_kind import Preview
from workflows.labelling import last_failure, level_of_theory, other_reference, request_labels
from workflows.stop_rules import ExplorerProgress, why_stop
from workflows.tasks.base import firework
from workflows.tasks.explore import ExploreTask
from workflows.training import refit

FIXED = ("species", "potential", "initial")
REASONS_KEPT = 20  # there may be thousands of refused candidates, for the same few reasons


def check(config: ActiveLearning) -> None:
    """Read the structures and labelled files of a campaign.

    Raises
    ------
    InputError
        If one of them is invalid.
    """
    for settings in config.explorers:
        EXPLORERS.get(settings.kind).check(settings)
    if not any(run.start for _, _, run in all_runs(config)):
        raise InputError(f"no explorer of campaign {config.name!r} has a structure to begin with")
    level = level_hash(level_of_theory(config.qm))
    labelled = _labelled(config)
    log_notes(labelled)
    for number, atoms in enumerate(labelled.structures, start=1):
        if atoms.info.get("level_of_theory", level) != level:  # `alflow labels export` writes it
            raise InputError(
                f"frame {number} of {config.initial.file} has labels of another level of theory than `qm`; "
                "label it at this one, or leave it out"
            )


def preview(config: ActiveLearning) -> Preview:
    """The displaced starting structures, in the order of their labels, and the labelled file."""
    starts = distinct(atoms for _, _, run in all_runs(config) for atoms in run.start)
    return Preview(
        structures=displaced(starts, config.initial) if starts else [],
        cutoff_A=getattr(config.potential, "cutoff_A", None),
        labelled=_labelled(config).structures,
        labelled_file=config.initial.file or "",
    )


def check_additions(store: Store, old: ActiveLearning, config: ActiveLearning) -> list[str]:
    """Check changed structures and explorers; return what is applied, in words.

    Raises
    ------
    InputError
        If a run or a structure that has begun has changed in a way that it cannot take.
    """
    now = {structure.name: structure for structure in config.structures}
    for structure in old.structures:
        if now.get(structure.name, structure) != structure:
            raise InputError(
                f"structure {structure.name!r} of campaign {config.name!r} cannot change once it has begun; "
                "add one of another name"
            )
    store.explorers.name_explorers(config.name, [(e.name, e.kind) for e in old.explorers])
    return make_plan(store, config).sentences


def begin(store: Store, config: ActiveLearning) -> None:
    """Store the runs and their changes, labels from other sources, and requests for isolated atoms."""
    plan = make_plan(store, config)
    for document, run, goes_on in plan.changed:
        store.explorers.change(document, run, goes_on=goes_on)
    store.explorers.create(
        config.name,
        [(kind, run) for _, kind, run in plan.added],
        explorers=[explorer for explorer, _, _ in plan.added],
        first=store.explorers.next_index(config.name),
    )
    labelled = _labelled(config)
    if config.initial.isolated_atoms:
        like = [*labelled.structures, *(atoms for _, _, run in all_runs(config) for atoms in run.start)]
        atoms = isolated_atoms(config.species, like)
        others = labelled.structures or preview(config).structures  # round 0 numbers them from 1
        request_labels(store, config, 0, atoms, LabelKind.ISOLATED, first=len(others) + 1)
    if labelled.structures:
        _import_labels(store, config, labelled)


def explorations(store: Store, config: ActiveLearning, round_: int) -> list[Firework]:
    """One firework per run that has not ended.

    Once all runs have ended, finished runs continue if their results should belong to the newest potential.
    """
    if round_ == 0:
        return []
    name = config.name
    passes = store.campaigns.get(name).get("passes", 0)
    store.explorers.start_again(name, passes, but=_following_kinds(config))
    runs = store.explorers.unfinished(name)
    if not runs:
        store.explorers.go_on(
            name, [run["index"] for run in _outdated(store, name, store.explorers.all(name))]
        )
        runs = store.explorers.unfinished(name)
    return [
        firework(ExploreTask, run["name"], campaign=name, round_=round_, explorer=run["index"])
        for run in reversed(runs)
    ]


def choose(store: Store, config: ActiveLearning, round_: int) -> dict[str, Any]:
    """Request labels: of displaced starts in round 0, later of random and of extrapolative frames."""
    if round_ == 0:
        structures = displaced(store.explorers.starts(config.name), config.initial)
        labels = request_labels(store, config, round_, structures, LabelKind.INITIAL)
        return {"candidates": len(structures), "labels": labels, "refused": [], "grades": []}
    return _choose_frames(store, config, round_)


def conclude(store: Store, config: ActiveLearning, round_: int) -> None:
    """Refit if there are new labels, measure the error, apply the stop rules, and advance the round."""
    name = config.name
    document = store.campaigns.get(name)
    try:
        fit = with_isolated_atoms(store, config)
    except IsolatedAtomMissing as error:
        store.campaigns.end(name, CampaignState.FAILED, str(error))
        return
    learned = refit(
        store,
        name,
        round_,
        species=config.species,
        form=config.potential,
        settings=fit,
        mode=config.selection.mode,
    )
    runs = store.explorers.all(name)
    paused = [run for run in runs if run["state"] == RunState.PAUSED]
    unfinished = [run for run in runs if RunState(run["state"]).is_open] or _outdated(store, name, runs)
    barren = document["barren"] + 1 if paused and not learned and round_ > 0 else 0
    quiet = document["quiet"] + 1 if not unfinished and not learned else 0
    progress = ExplorerProgress(
        round=round_,
        labels=store.labels.counts(name)[LabelState.DONE],
        unfinished=len(unfinished),
        explorer_states=[RunState(run["state"]) for run in runs],
        force_rmse_eV_A=[p["errors"]["force_rmse_eV_A"] for p in store.potentials.history(name)],
        cpu_hours=processor_hours(document),
        barren=barren,
        quiet=quiet,
        last_failure=last_failure(store, name, round_) or _pause(paused),
        validation=validation.measure(store, config, round_),
    )
    end = why_stop(config.stop, progress)
    if barren and config.initial.file and (why := other_reference(store, name, config.initial.file)):
        end = CampaignState.FAILED, why  # further rounds would be rejected alike
    if end is not None:
        store.events.add(name, f"ended-{round_}", "ended", round_, state=end[0], reason=end[1])
        store.campaigns.end(name, *end)
        return
    passes = max(run["passes"] for run in runs) + (0 if unfinished else 1)
    store.campaigns.advance(name, round_, barren=barren, quiet=quiet, passes=passes)


def retry_failed(store: Store, name: str) -> None:
    """Let broken explorers continue from their checkpoints."""
    store.explorers.retry_failed(name)


def _following_kinds(config: ActiveLearning) -> set[str]:
    """Kinds of explorers whose results must belong to the newest potential."""
    return {e.kind for e in config.explorers if EXPLORERS.get(e.kind).follows_potential}


def _outdated(store: Store, name: str, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Finished runs whose results belong to an older potential, for kinds that need the newest one."""
    newest = store.potentials.latest(name)
    return [
        run
        for run in runs
        if run["state"] == RunState.FINISHED
        and newest is not None
        and EXPLORERS.get(run["kind"]).follows_potential
        and run["version"] != newest["version"]
    ]


def _labelled(config: ActiveLearning) -> Reading:
    initial = config.initial
    if initial.file is None:
        return Reading([], {}, ())
    found = read_file(initial.file, labelled=True, species=config.species, keys=initial.keys)
    return replace(found, structures=[shifted(atoms, initial.energy_shift_eV) for atoms in found.structures])


def _import_labels(store: Store, config: ActiveLearning, found: Reading) -> None:
    """Store labels from other sources as the choice of round 0. Idempotent."""
    name, file = config.name, config.initial.file
    if store.events.get(name, "selected-0") is not None:
        return
    labels = []
    for number, atoms in enumerate(found.structures, start=1):
        origin = {"campaign": name, "round": 0, "file": file}
        configuration = store.configurations.add(atoms, origin)
        level = {"imported": file}
        labels.append(store.labels.import_result(configuration, level, atoms, campaign=name, number=number))
    facts = {"candidates": len(found.structures), "labels": labels, "refused": [], "grades": []}
    facts |= {"set_aside": found.set_aside, "notes": list(found.notes)}
    store.events.add(name, "selected-0", "selected", 0, **facts)


def _choose_frames(store: Store, config: ActiveLearning, round_: int) -> dict[str, Any]:
    """Draw validation frames first, so that chance alone decides; then choose among the candidates."""
    name = config.name
    candidates = store.explorers.candidates(name, round_)
    # Labels that a killed attempt at this choice requested must not change the choice.
    asked = [label for label in store.labels.find(name) if label["round"] < round_]
    left = max(0, config.stop.max_labels - len(asked))
    budget = min(config.selection.labels_per_round, left)
    known = [
        fingerprint(atoms)
        for atoms in store.configurations.atoms([label["configuration"] for label in asked])
    ]
    reserved = min(budget, len(candidates))
    drawn = validation.draw(store, config, round_, known, left - reserved)
    chosen, facts = _chosen(store, config, round_, candidates, budget, [*known, *drawn.prints])
    held_out, frames = validation.request(store, config, round_, drawn, first=len(chosen) + 1)
    more = {"validation": frames} if frames else {}
    return {"candidates": len(candidates), "labels": chosen + held_out, **facts, **more}


def _chosen(
    store: Store,
    config: ActiveLearning,
    round_: int,
    candidates: list[Atoms],
    budget: int,
    known: list[Fingerprint],
) -> tuple[list[ObjectId], dict[str, Any]]:
    """Requested labels of the most useful candidates, and facts on the others."""
    if not candidates or budget <= 0:
        return [], {"refused": [], "grades": []}
    name = config.name
    version = store.potentials.latest(name)["version"]  # type: ignore[index]
    selection = select(
        read_potential(store, name, version),
        read_active_set(store, name, version),
        candidates,
        budget,
        known=known,
        min_distance_A=config.qm.limits.min_distance_A,
        gamma_select=config.selection.gamma_save,
    )
    structures = [candidates[i] for i in selection.chosen]
    labels = request_labels(store, config, round_, structures, LabelKind.EXTRAPOLATIVE)
    if not labels:
        labels = _released(store, config, round_, [candidates[i] for i in selection.rejected])
    refused = [f"{_origin(candidates[i])}: {why}" for i, why in selection.rejected.items()][:REASONS_KEPT]
    grades = [frame.info["extrapolation_grade"] for frame in candidates]
    return labels, {"refused": refused, "grades": _extremes(grades)}


def _released(store: Store, config: ActiveLearning, round_: int, refused: list[Atoms]) -> list[ObjectId]:
    """Validation labels given to training, because nothing but their near-duplicates can be learned from.

    A run that pauses at such a configuration again and again could never go on otherwise. Idempotent.
    """
    held = [
        label
        for label in store.labels.find(config.name)
        if label["kind"] == LabelKind.VALIDATION and label["round"] < round_
    ]
    if not held or not refused:
        return []
    structures = store.configurations.atoms([label["configuration"] for label in held])
    prints = [fingerprint(atoms) for atoms in structures]
    twins = {find_duplicate(fingerprint(atoms), prints) for atoms in refused}
    return request_labels(
        store,
        config,
        round_,
        [structures[twin] for twin in sorted(twin for twin in twins if twin is not None)],
        LabelKind.EXTRAPOLATIVE,
    )


def _origin(frame: Atoms) -> str:
    return f"{frame.info['explorer']} step {frame.info['step']}"


def _extremes(grades: list[float]) -> list[float]:
    return [min(grades), max(grades)] if grades else []


def _pause(waiting: list[dict[str, Any]]) -> str:
    reasons = [f"{run['name']} waits since {run['reason']}" for run in waiting if run["reason"]]
    return reasons[0].rstrip(".") if reasons else ""
