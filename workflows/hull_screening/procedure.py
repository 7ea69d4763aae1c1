"""Convex-hull screening: which of very many crystals are stable.

The method is that of Gubaev, Podryabinkin, Hart and Shapeev, Comput. Mater. Sci. 156, 148 (2019).

A campaign goes through phases, one module each, of one or more rounds:

`gathering`
    Candidates are enumerated and stored; the first labels are some of them, displaced.
`learning`
    The stage's potential relaxes its candidates, a growing sample of them per round. Where it would have to
    guess they pause, the best of them are labelled, and they go on with the next version. Candidates that an
    older version relaxed are relaxed again, until all are relaxed with the same version.
`validation`
    Relaxed candidates that the potential was not trained on are labelled: that gives its error σ. Candidates
    within kσ of the hull go to the next stage and its better potential (`learning`), at last to `final`.
`final`
    Quantum mechanics relaxes the candidates that are left, and its energies alone make the hull.
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
    """Make the first candidate.

    Raises
    ------
    InputError
        If a source is wrong as a whole, or there is no candidate.
    """
    if next(sources.documents(config), None) is None:
        raise InputError(f"the sources of campaign {config.name!r} have no candidate")


def check_additions(store: Store, old: Screening, config: Screening) -> None:
    """Sources can be added at the end of the list once the campaign has ended.

    Raises
    ------
    InputError
        If they have changed otherwise.
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
    phase, stage = _phase(document), document.get("stage", 0)
    return PHASES[phase].choose(store, config, document) | {"phase": phase, "stage": stage}


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
    """Nothing: the next round takes up the work."""


def _phase(document: dict[str, Any]) -> Phase:
    return Phase(document.get("phase", Phase.GATHERING))
