"""`alflow worker`: processes that run what campaigns have to do."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from alflow.cli.database_options import LaunchpadOption, UriOption
from alflow.cli.output import JsonOption, print_json, print_note


class Role(StrEnum):
    """What a worker runs; the FireWorks category."""

    explore = "explore"
    label = "label"
    train = "train"


def worker(
    role: Annotated[
        list[Role] | None, typer.Option(help="What to run; repeat for several; default: all.")
    ] = None,
    number: Annotated[int, typer.Option("-n", min=1, help="Processes.")] = 1,
    directory: Annotated[Path, typer.Option(help="Folder for scratch files and logs.")] = Path("workers"),
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Run what the campaigns of a database have to do, until none is running; Ctrl-C ends it at once."""
    from alflow.errors import InputError
    from alflow.store import Store
    from workflows.launchpad import configured_launchpad
    from workflows.local import serve

    pad = configured_launchpad(uri, launchpad)
    if pad is None:
        raise InputError("no database is named: give --uri, --launchpad or ALFLOW_MONGO_URI")
    store = Store(pad.db)
    try:
        serve(
            store,
            pad,
            roles=[r.value for r in role or list(Role)],
            workers=number,
            directory=directory.resolve(),
        )
    except KeyboardInterrupt:
        print_note("interrupted; what was running is taken up by the next worker")
    states = {name: store.campaigns.get(name)["state"] for name in store.campaigns.names()}
    if json:
        print_json(states)
    else:
        print_note(", ".join(f"{name}: {state}" for name, state in states.items()) or "no campaigns")
