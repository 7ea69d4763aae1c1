"""`alflow report`: the report of a campaign, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alflow.cli.database_options import CampaignArgument, LaunchpadOption, UriOption, connected
from alflow.cli.output import JsonOption, check_writable, print_json, print_note


def report(
    campaign: CampaignArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="The HTML file to write, or a folder for the page and all figures."
        ),
    ] = Path("report.html"),
    figures: Annotated[
        Path | None,
        typer.Option(help="Folder for each figure as PNG, SVG and CSV.", show_default=False),
    ] = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Write the report of a finished or running campaign as one self-contained HTML file.

    Active learning: QM calls and extrapolation grade against the progress of the runs, errors (meV/atom,
    eV/Å) per round before and after training, parity, quantities along the runs, labels with reasons.
    Screening: the hull; kept and dropped candidates and error σ per stage. Both: cost, levels of theory.

    With a folder as --output, or with --figures, each figure is also written as PNG, SVG and CSV.

    Example: alflow report examples/cu_emt.yaml -o report.html
    """
    from alflow.cli.campaign_views import page
    from alflow.report import build_report

    if not output.suffix or output.is_dir():
        output.mkdir(parents=True, exist_ok=True)
        figures = figures or output / "figures"
        output = output / "report.html"
    check_writable(output)
    with connected(campaign, uri, launchpad) as connection:
        found = page(connection.store, connection.campaign)
    build_report(found, output, figures)
    if json:
        print_json({"written": output} | found.summary())
    else:
        print_note(f"{output}: {found.headline}")
