"""`alflow status`: where a campaign stands and what it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alflow.cli.database_options import LaunchpadOption, OptionalCampaignArgument, UriOption, connected
from alflow.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from rich.console import Group

STYLES = {"finished": "green", "running": "cyan", "failed": "red", "stopped": "yellow", "paused": "yellow"}


def status(
    campaign: OptionalCampaignArgument = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Rounds, grades, labels by state, cost, and what a campaign waits for."""
    from rich.console import Console

    from alflow.store import overview

    with connected(campaign, uri, launchpad) as connection:
        facts = overview(connection.store, connection.campaign)
    if json:
        print_json(facts)
    else:
        Console().print(render(facts))


def render(facts: dict[str, Any], rounds_shown: int | None = None) -> Group:
    """An overview as tables for a terminal."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    style = STYLES.get(facts["state"], "")
    head = Text.assemble(
        (facts["campaign"], "bold"), " · ", (facts["state"], style), f" · round {facts['round']}"
    )
    head.append(f" · {facts['cpu_hours']:.3g} CPU h")
    head.append(f"\n{facts['reason']}" if facts["reason"] else f"\nwaits for {facts['waits_for']}")
    counts = [f"{count} {state}" for state, count in facts["labels"].items() if count]
    head.append("\nlabels: " + (", ".join(counts) or "none yet"))
    runs = Table("explorer", "state", "step", "of", "", box=box.SIMPLE_HEAD)
    for run in facts["explorers"]:
        state = Text(run["state"], STYLES.get(run["state"], ""))
        runs.add_row(run["name"], state, str(run["step"]), str(run["steps"]), Text(run["reason"] or ""))
    rounds = Table("round", "candidates", "γ max", "labels", "done", "potential", box=box.SIMPLE_HEAD)
    for heading in ("energy RMSE, meV/atom", "force RMSE, eV/Å"):
        rounds.add_column(heading, justify="right")
    for row in facts["rounds"][-rounds_shown:] if rounds_shown else facts["rounds"]:
        rounds.add_row(
            *(_text(row[key]) for key in ("round", "candidates", "gamma_max", "labels", "done", "potential")),
            _text(row.get("energy_rmse_eV_per_atom"), 1000.0),
            _text(row.get("force_rmse_eV_A")),
        )
    return Group(head, runs, rounds)


def _text(value: float | None, factor: float = 1) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value * factor:.4g}"
