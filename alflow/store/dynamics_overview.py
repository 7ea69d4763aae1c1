"""What the overview of molecular dynamics has of its own."""

from __future__ import annotations

from typing import Any

from alflow.store.store import Store


def facts(store: Store, campaign: dict[str, Any]) -> dict[str, Any]:
    """The explorers."""
    keys = ("name", "state", "step", "steps", "reason")
    runs = store.explorers.all(campaign["name"])
    return {"explorers": [{key: run[key] for key in keys} for run in runs]}


def exploring(store: Store, campaign: dict[str, Any]) -> str | None:
    """The explorers that the round waits for, None if there are none."""
    round_ = campaign["round"]
    behind = [
        run["name"]
        for run in store.explorers.all(campaign["name"])
        if run["state"] in ("ready", "paused") and run["round"] < round_
    ]
    return f"explorers {', '.join(behind)}" if behind and round_ > 0 else None


def round_facts(store: Store, campaign: dict[str, Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Nothing beside what rounds of all kinds have."""
    return rows
