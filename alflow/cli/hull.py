"""`alflow hull`: the stable crystals of a screening."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alflow.cli.database_options import CampaignArgument, LaunchpadOption, UriOption, connected
from alflow.cli.output import JsonOption, print_json, print_note, print_table

if TYPE_CHECKING:
    from alflow.results import Cell
    from workflows.hull_screening.results import HullData

COMPOUNDS_SHOWN = 50


def hull(
    campaign: CampaignArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for tables, figure and structures.", show_default=False),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(
            "--window",
            min=0,
            help="Also list crystals up to this energy above the hull, eV per atom.",
            show_default=False,
        ),
    ] = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Show the convex hull of a finished or running screening: stable crystals, and metastable ones near it.

    With -o, the command writes to a folder: hull.csv, hull.json, hull.png (two or three species), the
    structures (hull.extxyz; POSCAR and CIF in structures/) and entries.json for pymatgen's PhaseDiagram.

    Example: alflow hull examples/cu_pd_hull.yaml -o hull
    """
    from alflow.errors import InputError
    from workflows.hull_screening.files import write_hull
    from workflows.hull_screening.reading import read_hull

    if output is not None and output.is_file():
        raise InputError(f"--output is {output}, which is a file; give the name of a folder")
    with connected(campaign, uri, launchpad) as connection:
        data = read_hull(connection.store, connection.campaign, window)
    written = [] if output is None else write_hull(data, output)
    if json:
        print_json(data.summary() | {"files": written})
        return
    _print(data)
    if written:
        print_note("\n".join(map(str, written)))


def _print(data: HullData) -> None:
    from workflows.hull_screening.results import QM

    if data.note is not None:
        print_note(data.note)
    columns = ("compound", "candidate", "space group", "atoms", "formation", "above", "volume")
    rows = [
        (
            compound.formula,
            compound.name,
            f"{compound.space_group} ({compound.space_group_number})",
            len(compound.atoms),
            1000 * compound.formation_energy_eV,
            1000 * compound.above_hull_eV,
            compound.volume_A3,
        )
        for compound in data.compounds[:COMPOUNDS_SHOWN]
    ]
    title = "No hull yet"
    if data.hull_of is not None:
        title = f"Hull of {data.hull_of}: formation and height above the hull in meV, volume in Å³, per atom"
    print_table(title, columns, rows)
    if len(data.compounds) > COMPOUNDS_SHOWN:
        print_note(f"{len(data.compounds) - COMPOUNDS_SHOWN} more; -o writes all of them")
    stages = [
        (f"{s.number}, {s.potential_text}", s.entered, s.relaxed, s.kept, s.sigma_eV and 1000 * s.sigma_eV)
        for s in data.stages
    ]
    last = (QM, data.final.entered, data.final.relaxed, None, None)
    print_table("Stages", ("stage", "candidates", "relaxed", "kept", "σ, meV/atom"), [*stages, last])
    if data.dropped:
        dropped = [
            (d.stage if d.stage <= len(data.stages) else QM, d.why_text, d.count, d.example)
            for d in data.dropped
        ]
        print_table("Dropped", ("stage", "why", "candidates", "one of them"), dropped)
    print_table("Work", ("", "wall, s", "%", "published %", "QM evaluations", "%"), _work_rows(data))


def _work_rows(data: HullData) -> list[list[Cell]]:
    from workflows.hull_screening.results import PUBLISHED_PERCENT

    rows: list[list[Cell]] = []
    for share in data.work:
        time, evaluations = data.share_percent(share)
        published = PUBLISHED_PERCENT[share.what]
        rows.append([share.what, share.seconds, time, published, share.evaluations, evaluations])
    return rows
