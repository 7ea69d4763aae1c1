"""Convex-hull screening: find the stable crystals among very many candidates.

The method is that of Gubaev, Podryabinkin, Hart and Shapeev, Comput. Mater. Sci. 156, 148 (2019).

A campaign goes through phases, one module each, of one or more rounds:

`gathering`
    Candidates are enumerated and stored; some of them, displaced, get the first labels.
`learning`
    The stage's potential relaxes its candidates, a growing sample of them per round. Candidates
    pause where it extrapolates; the most useful of them are labelled, and all continue with the next version.
    Candidates that an older version relaxed are relaxed again, until the same version has relaxed all.
`validation`
    Some relaxed candidates that the potential was not trained on are labelled; they give its error σ.
    Candidates within kσ of the hull go to the next stage and its better potential (`learning`), and after the
    last stage to `final`.
`final`
    Quantum mechanics relaxes the remaining candidates, and its energies alone define the hull.
"""

from __future__ import annotations

from typing import Any

from fireworks import Firework

from alflow.errors import InputError
from alflow.states import CampaignState, LabelState
from alflow.store import Store
from alflow.store.cost import processor_hours
from workflows.hull_screening import final, gathering, learning, sources, validation
from workflows.hull_screening.phase import Phase, PhaseModule
from workflows.hull_screening.schema import Screening
from workflows.labelling import last_failure
from workflows.stop_rules import Progress, over_budget

FIXED = ("species", "volumes_A3", "volume_factors", "stages", "screen", "final", "initial")
PHASES: dict[Phase, PhaseModule] = {
    Phase.GATHERING: gathering,
    Phase.LEARNING: learning,
    Phase.VALIDATION: validation,
    Phase.FINAL: final,
}


def check(config: Screening) -> None:
    """Check the sources by making the first candidate.

    Raises
    ------
    InputError
        If a source is invalid as a whole, or there is no candidate.
    """
    if next(sources.documents(config), None) is None:
        raise InputError(f"the sources of campaign {config.name!r} have no candidate")


def check_additions(store: Store, old: Screening, config: Screening) -> list[str]:
    """Check changed sources: new ones are allowed at the end of the list once the campaign has ended.

    Raises
    ------
    InputError
        If they have changed in another way.
    """
    if config.candidates[: len(old.candidates)] != old.candidates:
        raise InputError(
            f"`candidates` of campaign {config.name!r} can only be added at the end once it has begun; "
            "give the campaign a new name"
        )
    running = store.campaigns.get(config.name)["state"] == CampaignState.RUNNING
    if running and len(config.candidates) > len(old.candidates):
        raise InputError(
            f"`candidates` of campaign {config.name!r} can be added once it has ended; it is running"
        )
    added = len(config.candidates) - len(old.candidates)
    return [f"{added} new source{'s' if added > 1 else ''} of candidates"] if added else []


def begin(store: Store, config: Screening) -> None:
    """Let a restarted campaign gather its added sources."""
    document = store.campaigns.get(config.name)
    added = document.get("gathered", 0) < len(config.candidates)
    if added and _phase(document) != Phase.GATHERING:
        store.campaigns.advance(config.name, document["round"], phase=Phase.GATHERING, stage=0)


def explorations(store: Store, config: Screening, round_: int) -> list[Firework]:
    """Sources to gather, or chunks of candidates to relax."""
    document = store.campaigns.get(config.name)
    return PHASES[_phase(document)].explorations(store, config, document)


def choose(store: Store, config: Screening, round_: int) -> dict[str, Any]:
    """Request the labels of the phase: for training, for validation, or final relaxations."""
    document = store.campaigns.get(config.name)
    phase, stage = _phase(document), document.get("stage", 0)
    return PHASES[phase].choose(store, config, document) | {"phase": phase, "stage": stage}


def conclude(store: Store, config: Screening, round_: int) -> None:
    """Learn, sift, or store final energies; begin the next round, phase or stage, or end the campaign."""
    name = config.name
    document = store.campaigns.get(name)
    following = PHASES[_phase(document)].conclude(store, config, document)
    barren = following.pop("barren", 0)
    end = following.pop("end", None) or over_budget(
        config.stop,
        Progress(
            round=round_,
            labels=store.labels.counts(name)[LabelState.DONE],
            cpu_hours=processor_hours(document),
            barren=barren,
            last_failure=last_failure(store, name, round_),
        ),
    )
    if end is not None:
        store.events.add(name, f"ended-{round_}", "ended", round_, state=end[0], reason=end[1])
        store.campaigns.end(name, *end)
    else:
        store.campaigns.advance(name, round_, barren=barren, **following)


def retry_failed(store: Store, name: str) -> None:
    """Do nothing: the next round takes up the work."""


def _phase(document: dict[str, Any]) -> Phase:
    return Phase(document.get("phase", Phase.GATHERING))
