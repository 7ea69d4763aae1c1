"""`alflow worker`: processes that do the work of campaigns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alflow.cli.database_options import LaunchpadOption, UriOption
from alflow.cli.output import JsonOption, print_json, print_note
from alflow.states import Role


def worker(
    role: Annotated[
        list[Role] | None,
        typer.Option(help="Role of the work to run; give the option once per role; default: all."),
    ] = None,
    number: Annotated[int, typer.Option("-n", min=1, help="Processes.")] = 1,
    directory: Annotated[Path, typer.Option(help="Folder for scratch files and logs.")] = Path("workers"),
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Run the work of all campaigns of a database until no campaign is running; Ctrl-C ends it at once.

    Example: alflow worker --role label -n 4
    """
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
        print_note("interrupted; the next worker takes up the work that was under way")
    states = {name: store.campaigns.get(name)["state"] for name in store.campaigns.names()}
    if json:
        print_json(states)
    else:
        print_note(", ".join(f"{name}: {state}" for name, state in states.items()) or "no campaigns")
