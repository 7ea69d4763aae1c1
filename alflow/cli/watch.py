"""`alflow watch`: the status, refreshed until the campaign ends."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from alflow.cli.database_options import LaunchpadOption, OptionalCampaignArgument, UriOption, connected
from alflow.cli.output import JsonOption, print_json
from alflow.cli.progress_lines import ProgressLines, campaign_line


def watch(
    campaign: OptionalCampaignArgument = None,
    every_s: Annotated[float, typer.Option("--every", min=0.2, help="Seconds between two updates.")] = 2.0,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Show the status until the campaign ends; with --json, one document at the end.

    Example: alflow watch examples/cu_emt.yaml --every 10
    """
    from rich.console import Console
    from rich.live import Live

    from alflow.cli.campaign_views import overview
    from alflow.cli.status_tables import render
    from alflow.states import CampaignState

    with connected(campaign, uri, launchpad) as connection:
        facts = overview(connection.store, connection.campaign)
        if json:
            while facts.state == CampaignState.RUNNING:
                time.sleep(every_s)
                facts = overview(connection.store, connection.campaign)
            print_json(facts.as_dict())
            return
        lines = None if Console().is_terminal else ProgressLines()
        with Live(render(facts)) as live:
            while facts.state == CampaignState.RUNNING:
                time.sleep(every_s)
                facts = overview(connection.store, connection.campaign)
                live.update(render(facts))
                if lines is not None:
                    lines(campaign_line(facts), event=(facts.state, facts.round))
