"""The runs of a campaign: those that its file describes, compared with those that are stored.

A run is identified by its explorer and by all of its settings except those that its kind declares
`changeable`. Stored runs keep their index; new runs get new ones, wherever they stand in the file.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from alflow.errors import InputError
from alflow.explorers import EXPLORERS, Explorer, Run
from alflow.settings import Section
from alflow.store import Store
from alflow.structures.starting import starting_structures
from workflows.active_learning.schema import ActiveLearning

SHOWN = 3  # names of runs in a sentence
Document = dict[str, Any]


@dataclass
class Plan:
    """What an edited campaign file asks for.

    Attributes
    ----------
    added
        Explorer, its kind and the run.
    changed
        The stored run, the run of the file, and whether a finished run has further to go.
    sentences
        What is applied, for people.
    """

    added: list[tuple[str, str, Run]] = field(default_factory=list)
    changed: list[tuple[Document, Run, bool]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)


def all_runs(config: ActiveLearning) -> list[tuple[str, str, Run]]:
    """The runs of all explorers, each with the name and the kind of its explorer."""
    structures = starting_structures(config.structures, config.species)
    return [
        (settings.name, settings.kind, run)
        for settings in config.explorers
        for run in EXPLORERS.get(settings.kind).runs(settings, structures, config.species)
    ]


def make_plan(store: Store, config: ActiveLearning) -> Plan:
    """Compare the file with the stored runs.

    Raises
    ------
    InputError
        If a stored run is not in the file any more, or cannot take on its new settings.
    """
    described: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for explorer, kind, run in all_runs(config):
        described[explorer, kind].append(run)
    stored: dict[tuple[str, str], list[Document]] = defaultdict(list)
    for document in store.explorers.all(config.name):
        stored[document.get("explorer") or document["name"], document["kind"]].append(document)
    if gone := [key for key in stored if key not in described]:
        explorer, kind = gone[0]
        raise InputError(
            f"explorer {explorer!r} of kind {kind} of campaign {config.name!r} is missing in the file, but "
            "explorers that have begun cannot be removed; keep it, or give the campaign a new name"
        )
    plan = Plan()
    for (explorer, kind), runs in described.items():
        _compare(plan, explorer, kind, runs, stored[explorer, kind])
    return plan


def _compare(plan: Plan, explorer: str, kind: str, runs: Sequence[Run], stored: list[Document]) -> None:
    door = EXPLORERS.get(kind)
    waiting: dict[str, list[tuple[Document, Section]]] = defaultdict(list)
    for document in stored:
        settings = door.RunSettings.model_validate(document["settings"])
        waiting[_identity(door, settings)].append((document, settings))
    added, changes = [], []
    for run in runs:
        same = waiting[_identity(door, run.settings)]
        if not same:
            added.append(run)
            continue
        document, settings = same.pop(0)
        goes_on = _goes_on(door, explorer, settings, run.settings)
        if facts := _differences(door, document, settings, run):
            plan.changed.append((document, run, goes_on))
            changes += facts
    if lost := [pair for pairs in waiting.values() for pair in pairs]:
        raise InputError(_why_not(door, explorer, lost[0], added or runs))
    plan.added += [(explorer, kind, run) for run in added]
    if added:
        names = ", ".join(run.name for run in added[:SHOWN]) + (", …" if len(added) > SHOWN else "")
        what = f"{len(added)} new run{'s' if len(added) > 1 else ''}" if stored else "new"
        plan.sentences.append(f"explorer {explorer}: {what} ({names})")
    plan.sentences += [f"explorer {explorer}: {change}" for change in dict.fromkeys(changes)]


def _changeable(door: Explorer) -> frozenset[str]:
    return frozenset(getattr(door, "changeable", ()))  # plug-ins of earlier releases lack it


def _identity(door: Explorer, settings: Section) -> str:
    return json.dumps(settings.model_dump(mode="json", exclude=set(_changeable(door))), sort_keys=True)


def _goes_on(door: Explorer, explorer: str, old: Section, new: Section) -> bool:
    if old == new:
        return False
    try:
        return door.goes_on(old, new)
    except InputError as error:
        raise InputError(f"explorer {explorer!r}: {error}") from None


def _differences(door: Explorer, document: Document, old: Section, run: Run) -> list[str]:
    """What changes in a stored run, in words."""
    before, after = old.model_dump(mode="json"), run.settings.model_dump(mode="json")
    found = [
        f"{key} {_text(before[key])} → {_text(after[key])}" for key in after if before[key] != after[key]
    ]
    if run.length is not None and document["steps"] not in (None, run.length):
        then, unit = door.progress(old, document["steps"])
        found.append(f"length {then:g} → {door.progress(run.settings, run.length)[0]:g} {unit}")
    trajectory = None if run.trajectory is None else asdict(run.trajectory)
    if document.get("trajectory") != trajectory:
        found.append("trajectory " + ("off" if trajectory is None else f"every {trajectory['every']} steps"))
    if document["name"] != run.name:
        found.append(f"run {document['name']} is called {run.name}")
    return found


def _why_not(door: Explorer, explorer: str, lost: tuple[Document, Section], runs: Sequence[Run]) -> str:
    """Why a stored run cannot go on, and what would be possible."""
    document, settings = lost
    before = settings.model_dump(mode="json", exclude=set(_changeable(door)))

    def differences(run: Run) -> Mapping[str, Any]:
        after = run.settings.model_dump(mode="json")
        return {key: after[key] for key in before if before[key] != after[key]}

    nearest = min(map(differences, runs), key=len)
    had = ", ".join(f"{key} = {_text(before[key])}" for key in nearest) or "these settings"
    has = ", ".join(f"{key} = {_text(value)}" for key, value in nearest.items()) or "one run less"
    can = ", ".join(sorted(_changeable(door))) or "nothing"
    return (
        f"run {document['name']!r} of explorer {explorer!r} has begun with {had}, but the file has {has}; "
        f"keep that run and add the new one beside it (in the list, or as another explorer); in a run that "
        f"has begun, {can} can change"
    )


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else json.dumps(value) if value is not None else "none"
