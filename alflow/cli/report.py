"""`alflow report`: what a campaign did, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alflow.cli.database_options import CampaignArgument, LaunchpadOption, UriOption, connected
from alflow.cli.output import JsonOption, check_writable, print_json, print_note


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

    QM calls and extrapolation grade against simulated time (ps), errors (meV/atom, eV/Å) of each round before
    and after training, parity, temperature (K) and energy, labels with reasons, cost, levels of theory.

    Example: alflow report copper.yaml -o report.html
    """
    from alflow.report import build_report, gather

    check_writable(output)
    with connected(campaign, uri, launchpad) as connection:
        data = gather(connection.store, connection.campaign)
    build_report(data, output)
    if not json:
        print_note(f"{output}: {data.campaign}, {data.state}, round {data.rounds}, {data.qm_calls} QM calls")
        return
    print_json(
        {
            "written": output,
            "state": data.state,
            "reason": data.reason,
            "rounds": data.rounds,
            "steps": data.steps,
            "labels": data.label_states,
            "train_force_rmse_eV_A": data.trained.force_rmse_eV_A,
            "train_energy_rmse_eV_per_atom": data.trained.energy_rmse_eV_per_atom,
            "unseen_force_rmse_eV_A": data.newest_unseen.force_rmse_eV_A,
            "unseen_energy_rmse_eV_per_atom": data.newest_unseen.energy_rmse_eV_per_atom,
            "cost_s": data.cost_s,
        }
    )
