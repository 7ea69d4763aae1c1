"""Where a campaign stands, in plain values: what status, watch and scripts show."""

from __future__ import annotations

from typing import Any

from alflow.store.campaigns import RUNNING
from alflow.store.store import Store


def overview(store: Store, name: str) -> dict[str, Any]:
    """State, explorers, labels, rounds and cost of a campaign, and what it waits for.

    Raises
    ------
    InputError
        If there is no such campaign.
    """
    campaign = store.campaigns.get(name)
    explorers = store.explorers.all(name)
    counts = store.labels.counts(name)
    return {
        "campaign": name,
        "state": campaign["state"],
        "reason": campaign["reason"],
        "waits_for": _waits_for(store, campaign, explorers, counts),
        "round": campaign["round"],
        "labels": counts,
        "cpu_hours": campaign["cpu_seconds"] / 3600,
        "explorers": [
            {key: run[key] for key in ("name", "state", "step", "steps", "reason")} for run in explorers
        ],
        "rounds": _rounds(store, name),
    }


def _waits_for(
    store: Store, campaign: dict[str, Any], explorers: list[dict[str, Any]], counts: dict[str, int]
) -> str:
    if campaign["state"] != RUNNING:
        return "nothing"
    name, round_ = campaign["name"], campaign["round"]
    if store.events.get(name, f"selected-{round_}") is None:
        behind = [
            run["name"] for run in explorers if run["state"] in ("ready", "paused") and run["round"] < round_
        ]
        return f"explorers {', '.join(behind)}" if behind and round_ > 0 else "selection"
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
