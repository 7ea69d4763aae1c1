"""`alflow report`: what a campaign did, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alflow.cli.database_options import CampaignArgument, LaunchpadOption, UriOption, connected
from alflow.cli.output import JsonOption, check_writable, print_json, print_note

if TYPE_CHECKING:
    from alflow.cli.database_options import Connection
    from alflow.report import HullData, ReportData


def report(
    campaign: CampaignArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path(
        "report.html"
    ),
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Write the report of a campaign, finished or running, as one HTML file that needs no other.

    Molecular dynamics: QM calls and extrapolation grade against simulated time (ps), errors (meV/atom, eV/Å)
    of each round before and after training, parity, temperature (K) and energy, labels with reasons, cost,
    levels of theory. Screening: the hull, what each stage kept and dropped, its error σ, cost.

    Example: alflow report copper.yaml -o report.html
    """
    from alflow.report import build_report

    check_writable(output)
    with connected(campaign, uri, launchpad) as connection:
        data = gathered(connection)
    build_report(data, output)
    if json:
        print_json({"written": output} | data.summary())
    else:
        print_note(f"{output}: {data.headline}")


def gathered(connection: Connection) -> ReportData | HullData:
    """What the report of a campaign of either kind is made of."""
    from alflow.report import gather, gather_hull
    from workflows.hull_screening.schema import Screening

    store, name = connection.store, connection.campaign
    screening = isinstance(store.campaigns.config(name), Screening)
    return gather_hull(store, name) if screening else gather(store, name)
