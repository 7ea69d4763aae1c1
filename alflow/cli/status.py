"""`alflow status`: where a campaign stands and what it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alflow.cli.database_options import LaunchpadOption, OptionalCampaignArgument, UriOption, connected
from alflow.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from rich.console import Group


def status(
    campaign: OptionalCampaignArgument = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Explorers or stages, rounds, grades, labels by state, cost, and what a campaign waits for."""
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
    from rich.console import Group
    from rich.text import Text

    from alflow.cli import status_tables as tables

    style = tables.STYLES.get(facts["state"], "")
    head = Text.assemble((facts["campaign"], "bold"), " · ", (facts["state"], style))
    if facts["kind"] == "screening":
        stage = "" if facts["phase"] in ("gathering", "final") else f", stage {facts['stage']}"
        head.append(f" · {facts['phase']}{stage}")
    head.append(f" · round {facts['round']} · {facts['cpu_hours']:.3g} CPU h")
    head.append(f"\n{facts['reason']}" if facts["reason"] else f"\nwaits for {facts['waits_for']}")
    counts = [f"{count} {state}" for state, count in facts["labels"].items() if count]
    head.append("\nlabels: " + (", ".join(counts) or "none yet"))
    explored = tables.stages_table if facts["kind"] == "screening" else tables.explorers_table
    return Group(head, explored(facts), tables.rounds_table(facts, rounds_shown))
