"""Where a campaign stands, in plain values: what status, watch and scripts show."""

from __future__ import annotations

from typing import Any

from alflow.store import dynamics_overview, screening_overview
from alflow.store.campaigns import RUNNING
from alflow.store.store import Store


def overview(store: Store, name: str) -> dict[str, Any]:
    """State, labels, rounds and cost of a campaign, its explorers or its stages, and what it waits for.

    Raises
    ------
    InputError
        If there is no such campaign.
    """
    campaign = store.campaigns.get(name)
    screening = "candidates" in campaign["config"]
    kind = screening_overview if screening else dynamics_overview
    counts = store.labels.counts(name)
    return {
        "campaign": name,
        "kind": "screening" if screening else "dynamics",
        "state": campaign["state"],
        "reason": campaign["reason"],
        "waits_for": _waits_for(store, campaign, counts, kind.exploring(store, campaign)),
        "round": campaign["round"],
        "labels": counts,
        "cpu_hours": campaign["cpu_seconds"] / 3600,
        **kind.facts(store, campaign),
        "rounds": kind.round_facts(store, campaign, _rounds(store, name)),
    }


def _waits_for(store: Store, campaign: dict[str, Any], counts: dict[str, int], exploring: str | None) -> str:
    if campaign["state"] != RUNNING:
        return "nothing"
    if store.events.get(campaign["name"], f"selected-{campaign['round']}") is None:
        return exploring or "selection"
    open_labels = counts["waiting"] + counts["running"]
    if open_labels:
        return f"{open_labels} labels, {counts['running']} of them running"
    return "training"


def _rounds(store: Store, name: str) -> list[dict[str, Any]]:
    """One row a round: candidates, highest γ, labels asked and done, and the errors of the refit."""
    potentials = {potential["round"]: potential for potential in store.potentials.history(name)}
    labels = store.labels.find(name)
    rows = []
    for event in store.events.find(name, "selected"):
        round_ = event["round"]
        asked = [label for label in labels if label["round"] == round_]
        potential = potentials.get(round_)
        rows.append(
            {
                "round": round_,
                "candidates": event["candidates"],
                "gamma_max": event["grades"][1] if event["grades"] else None,
                "labels": len(asked),
                "done": sum(label["state"] == "done" for label in asked),
                "potential": potential["version"] if potential else None,
                **(potential["errors"] if potential else {}),
            }
        )
    return rows
