"""The tables of a status, of either kind of campaign."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

STYLES = {"finished": "green", "running": "cyan", "failed": "red", "stopped": "yellow", "paused": "yellow"}
ROUNDS = {
    "dynamics": {
        "round": "round",
        "candidates": "candidates",
        "gamma_max": "γ max",
        "labels": "labels",
        "done": "done",
        "potential": "potential",
        "energy_rmse_eV_per_atom": "energy RMSE, meV/atom",
        "force_rmse_eV_A": "force RMSE, eV/Å",
    },
    "screening": {
        "round": "round",
        "phase": "phase",
        "relaxed": "relaxed",
        "paused": "paused",
        "gamma_max": "γ max",
        "done": "labels",
        "energy_rmse_eV_per_atom": "RMSE, meV/atom",
        "force_rmse_eV_A": "eV/Å",
    },
}
"""Columns of the table of rounds, by kind of campaign."""


def explorers_table(facts: dict[str, Any]) -> Table:
    """Runs of molecular dynamics, and how far they are."""
    table = Table("explorer", "state", "step", "of", "", box=box.SIMPLE_HEAD)
    for run in facts["explorers"]:
        state = Text(run["state"], STYLES.get(run["state"], ""))
        table.add_row(run["name"], state, str(run["step"]), str(run["steps"]), Text(run["reason"] or ""))
    return table


def stages_table(facts: dict[str, Any]) -> Table:
    """Candidates of a screening by stage and state."""
    columns = ("stage", "entered", "waiting", "paused", "relaxed", "dropped", "kept")
    table = _numbers(*columns, "σ, meV")
    for stage in facts["stages"]:
        shown = stage | {"relaxed": stage["relaxed"] + stage["final"]}
        table.add_row(*(_text(shown[column]) for column in columns), _text(stage["sigma_eV"], 1000.0))
    return table


def rounds_table(facts: dict[str, Any], rounds_shown: int | None) -> Table:
    """Rounds: what was found, labelled and learned."""
    columns = ROUNDS[facts["kind"]]
    table = _numbers(*columns.values())
    for row in facts["rounds"][-rounds_shown:] if rounds_shown else facts["rounds"]:
        table.add_row(
            *(_text(row.get(key), 1000.0 if key == "energy_rmse_eV_per_atom" else 1.0) for key in columns)
        )
    return table


def _numbers(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        words = column in ("stage", "phase")
        table.add_column(column, justify="left" if words else "right", no_wrap=words)
    return table


def _text(value: float | str | None, factor: float = 1) -> str:
    if value is None:
        return "–"
    return f"{value * factor:.4g}" if isinstance(value, float) else str(value)
