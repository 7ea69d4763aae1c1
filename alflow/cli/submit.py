"""`alflow submit`: put a campaign on a LaunchPad, for workers on any machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alflow.cli.database_options import LaunchpadOption, UriOption, campaign_folder
from alflow.cli.output import JsonOption, print_json, print_note


def submit(
    campaign: Annotated[Path, typer.Argument(help="Campaign file (YAML).")],
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Put a campaign on the LaunchPad; `alflow worker`, `rlaunch` or `qlaunch` then run it.

    If the campaign is there already, the command applies changes of the file and restarts work that lost
    workers left unfinished. After every round, a worker that sees the folder runs/ beside the campaign
    file writes the potential and training.extxyz there; `alflow potential` and `alflow export` write them
    anywhere.

    Example: alflow submit examples/cu_emt.yaml
    """
    from alflow.campaign.file import load_campaign
    from alflow.cli.campaign_views import overview
    from alflow.errors import InputError
    from alflow.store import Store
    from workflows import submission
    from workflows.launchpad import configured_launchpad
    from workflows.preflight import note_missing
    from workflows.recovery import recover

    config = load_campaign(campaign)
    submission.check(config)
    for sentence in note_missing(config):
        print_note(sentence)
    pad = configured_launchpad(uri, launchpad)
    if pad is None:
        raise InputError(
            "no database is named: give --uri, --launchpad or ALFLOW_MONGO_URI, or use `alflow run`"
        )
    store = Store(pad.db)
    for sentence in submission.submit(store, pad, config):
        print_note(sentence)
    recover(store, pad, config.name)
    folder = campaign_folder(campaign)
    folder.mkdir(parents=True, exist_ok=True)
    store.campaigns.set_folder(config.name, folder)
    facts = overview(store, config.name)
    if json:
        print_json(facts.as_dict())
    else:
        print_note(f"{config.name}: {facts.state}, round {facts.round}, {facts.situation}")
