"""`alflow status`: the state of a campaign and the work that it waits for."""

from __future__ import annotations

from alflow.cli.database_options import LaunchpadOption, OptionalCampaignArgument, UriOption, connected
from alflow.cli.output import JsonOption, print_json


def status(
    campaign: OptionalCampaignArgument = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Show explorers or stages, rounds, grades, labels by state, cost, and the work that is still missing.

    Example: alflow status examples/cu_emt.yaml
    """
    from rich.console import Console

    from alflow.cli.campaign_views import overview
    from alflow.cli.status_tables import render

    with connected(campaign, uri, launchpad) as connection:
        facts = overview(connection.store, connection.campaign)
    if json:
        print_json(facts.as_dict())
    else:
        Console().print(render(facts))
