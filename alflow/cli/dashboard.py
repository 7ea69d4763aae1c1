"""`alflow dashboard`: FireWorks' own web page, on this machine only, for a campaign's database."""

from __future__ import annotations

from typing import Annotated

import typer

from alflow.cli.database_options import LaunchpadOption, OptionalCampaignArgument, UriOption, connected
from alflow.cli.output import JsonOption, print_json, print_note

HOST = "127.0.0.1"


def dashboard(
    campaign: OptionalCampaignArgument = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on loopback.")] = 5000,
    archive: Annotated[bool, typer.Option(help="Show the finished rounds that were archived.")] = False,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Show the fireworks of a campaign in a browser, until Ctrl-C."""
    from importlib.util import find_spec

    from alflow.errors import InputError
    from workflows.launchpad import archived

    if find_spec("flask") is None:
        raise InputError("the dashboard needs flask, which is not installed: pip install 'alflow[dashboard]'")
    from fireworks.flask_site.app import app

    with connected(campaign, uri, launchpad) as connection:
        app.lp = archived(connection.launchpad) if archive else connection.launchpad
        address = f"http://{HOST}:{port}"
        if json:
            print_json({"address": address})
        else:
            print_note(f"{connection.campaign}: {address} (Ctrl-C ends it)")
        app.run(host=HOST, port=port, debug=False)
