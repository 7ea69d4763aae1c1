"""What the overview of a screening has of its own."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from alflow.store.candidates import DROPPED, PAUSED, RELAXED, STATES
from alflow.store.store import Store

GATHERING, LEARNING, VALIDATION, FINAL = "gathering", "learning", "validation", "final"
OUTCOMES = (RELAXED, PAUSED, DROPPED)


def facts(store: Store, campaign: dict[str, Any]) -> dict[str, Any]:
    """The phase, and of each stage its candidates by state, σ (eV per atom) and what it kept.

    The last entry is that of the final relaxations. Candidates that have gone on count where they are.
    """
    name, stages = campaign["name"], campaign["config"]["stages"]
    counts = store.candidates.counts(name)
    sifted = {event["stage"]: event for event in store.events.find(name, "sifted")}
    rows = [
        {
            "stage": "QM" if stage == len(stages) else stage + 1,
            "level": None if stage == len(stages) else stages[stage]["potential"]["level"],
            "entered": sum(sum(states.values()) for at, states in counts.items() if at >= stage),
            **{state: counts.get(stage, {}).get(state, 0) for state in STATES},
            "sigma_eV": sifted[stage]["sigma_eV"] if stage in sifted else None,
            "kept": sifted[stage]["kept"] if stage in sifted else None,
        }
        for stage in range(len(stages) + 1)
    ]
    return {"phase": _phase(campaign), "stage": campaign.get("stage", 0) + 1, "stages": rows}


def exploring(store: Store, campaign: dict[str, Any]) -> str | None:
    """The chunks that the round waits for, None if there are none."""
    name, round_ = campaign["name"], campaign["round"]
    if _phase(campaign) == GATHERING:
        divided = store.events.get(name, f"divided-{round_}") is not None
        return None if divided and not store.chunks.unfinished(name, round_) else "candidates to be gathered"
    open_chunks = len(store.chunks.unfinished(name, round_))
    return f"{open_chunks} chunks of candidates to be relaxed" if open_chunks else None


def round_facts(store: Store, campaign: dict[str, Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rounds with their phase, and how many candidates were relaxed, paused and dropped in them."""
    relaxed: dict[int, Counter[str]] = defaultdict(Counter)
    gathered = {0}
    for chunk in store.chunks.finished(campaign["name"]):
        if "relaxed" in chunk:
            relaxed[chunk["round"]].update({state: chunk[state] for state in OUTCOMES})
        else:
            gathered.add(chunk["round"])
    sifted = {event["round"] for event in store.events.find(campaign["name"], "sifted")}
    phases = dict.fromkeys(sifted, VALIDATION) | dict.fromkeys(gathered, GATHERING)
    phases |= dict.fromkeys(relaxed, LEARNING) | {campaign["round"]: _phase(campaign)}
    return [
        {
            "phase": phases.get(row["round"], FINAL),
            **row,
            **{state: relaxed[row["round"]][state] for state in OUTCOMES},
        }
        for row in rows
    ]


def _phase(campaign: dict[str, Any]) -> str:
    return campaign.get("phase", GATHERING)
