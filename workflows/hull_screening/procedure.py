"""Convex-hull screening: which of very many crystals are stable.

The method is that of Gubaev, Podryabinkin, Hart and Shapeev, Comput. Mater. Sci. 156, 148 (2019).

A campaign goes through phases, one module each, of one or more rounds:

`gathering`
    Candidates are enumerated and stored; the first labels are some of them, displaced.
`learning`
    The stage's potential relaxes its candidates, a growing sample of them a round; where it would have to
    guess they pause, the best of them are labelled, and they go on with the next version. What was relaxed
    with an older version is relaxed again, until all are relaxed with the same one.
`validation`
    Relaxed candidates that the potential was not trained on are labelled: that gives its error σ. What is
    within kσ of the hull goes to the next stage and its better potential (`learning`), at last to `final`.
`final`
    Quantum mechanics relaxes what is left, and the hull is made of its energies alone.
"""

from __future__ import annotations

from typing import Any

from fireworks import Firework

from workflows.hull_screening.schema import Screening
from alflow.errors import InputError
from alflow.store import Store
from alflow.store import campaigns as state
from workflows.hull_screening import final, gathering, learning, validation
from workflows.hull_screening.phase import Phase, PhaseModule
from workflows.labelling import last_failure
from workflows.stop_rules import Progress, over_budget

FIXED = ("species", "volumes_A3", "volume_factors", "stages", "screen", "final", "initial")
PHASES: dict[str, PhaseModule] = {
    Phase.GATHERING: gathering,
    Phase.LEARNING: learning,
    Phase.VALIDATION: validation,
    Phase.FINAL: final,
}


def check(config: Screening) -> None:
    """Make the first candidate.

    Raises
    ------
    InputError
        If a source is wrong as a whole, or there is no candidate.
    """
    if next(gathering.documents(config), None) is None:
        raise InputError(f"the sources of campaign {config.name!r} have no candidate")


def check_additions(store: Store, old: dict[str, Any], config: Screening) -> None:
    """Sources can be added at the end of the list once the campaign has ended.

    Raises
    ------
    InputError
        If they have changed otherwise.
    """
    sources = [source.model_dump(mode="json") for source in config.candidates]
    if sources[: len(old["candidates"])] != old["candidates"]:
        raise InputError(
            f"`candidates` of campaign {config.name!r} can only be added at the end once it has begun; "
            "give the campaign a new name"
        )
    running = store.campaigns.get(config.name)["state"] == state.RUNNING
    if running and len(sources) > len(old["candidates"]):
        raise InputError(
            f"`candidates` of campaign {config.name!r} can be added once it has ended; it is running"
        )


def begin(store: Store, config: Screening) -> None:
    """Let a campaign that had ended gather the sources that were added to it."""
    document = store.campaigns.get(config.name)
    added = document.get("gathered", 0) < len(config.candidates)
    if added and _phase(document) != Phase.GATHERING:
        store.campaigns.advance(config.name, document["round"], phase=Phase.GATHERING, stage=0)


def explorations(store: Store, config: Screening, round_: int) -> list[Firework]:
    """Sources to gather, or chunks of candidates to relax."""
    document = store.campaigns.get(config.name)
    return PHASES[_phase(document)].explorations(store, config, document)


def choose(store: Store, config: Screening, round_: int) -> dict[str, Any]:
    """Ask for the labels that the phase needs: for training, for validation, or the final relaxations."""
    document = store.campaigns.get(config.name)
    return PHASES[_phase(document)].choose(store, config, document)


def conclude(store: Store, config: Screening, round_: int) -> None:
    """Learn, or sift, or store final energies; then the next round, phase or stage, or the end."""
    name = config.name
    document = store.campaigns.get(name)
    following = PHASES[_phase(document)].conclude(store, config, document)
    barren = following.pop("barren", 0)
    end = following.pop("end", None) or over_budget(
        config.stop,
        Progress(
            round=round_,
            labels=store.labels.counts(name)["done"],
            cpu_hours=document["cpu_seconds"] / 3600,
            barren=barren,
            last_failure=last_failure(store, name, round_),
        ),
    )
    if end is not None:
        store.events.add(name, f"ended-{round_}", "ended", round_, state=end[0], reason=end[1])
        store.campaigns.end(name, *end)
    else:
        store.campaigns.advance(name, round_, barren=barren, **following)


def _phase(document: dict[str, Any]) -> str:
    return document.get("phase", Phase.GATHERING)
