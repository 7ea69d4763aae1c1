"""`alflow potential`: the file of a campaign's potential."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alflow.cli.database_options import CampaignArgument, LaunchpadOption, UriOption, connected
from alflow.cli.output import JsonOption, check_writable, print_json, print_note


def potential(
    campaign: CampaignArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The file: .almtp with grades, or .mtp (the suffix of the potential's kind).",
        ),
    ],
    version: Annotated[
        int | None,
        typer.Option("--version", min=1, help="Version; default: the newest.", show_default=False),
    ] = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Write the newest potential of a campaign to a file, from any machine that sees the database.

    A .almtp file holds the active set, so that MLIP-3, LAMMPS and alflow can compute extrapolation grades.

    Example: alflow potential examples/cu_emt.yaml -o cu.almtp
    """
    from alflow.errors import InputError
    from alflow.files import write_completely
    from alflow.results.potential_files import potential_content

    check_writable(output)
    with connected(campaign, uri, launchpad) as connection:
        store, name = connection.store, connection.campaign
        known = store.potentials.history(name)
        chosen = next((one for one in reversed(known) if version in (None, one["version"])), None)
        if chosen is None:
            raise InputError(
                f"campaign {name!r} has no potential yet: its first fit comes after its first labels"
                if not known
                else f"--version is {version}; campaign {name!r} has versions 1 to {known[-1]['version']}"
            )
        content = potential_content(store, name, chosen["version"], output.suffix)
    write_completely(output, content)
    facts = {
        "file": str(output),
        "version": chosen["version"],
        "round": chosen["round"],
        "labels": chosen["label_count"],
        "errors": chosen["errors"],
    }
    if json:
        print_json(facts)
    else:
        print_note(
            f"{output}: version {chosen['version']}, fitted to {chosen['label_count']} labels "
            f"at the end of round {chosen['round']}"
        )
