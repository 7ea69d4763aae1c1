"""`alflow evaluate`: the errors of a potential on labelled structures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alflow.cli.output import (
    FormatOption,
    JsonOption,
    KeysOption,
    parse_keys,
    parse_species,
    print_errors,
    print_json,
)


def evaluate(
    potential: Annotated[Path, typer.Argument(help="File of the potential, such as MLIP's .mtp or .almtp.")],
    data: Annotated[Path, typer.Argument(help="Labelled structures: extended XYZ, MLIP .cfg, OUTCAR, …")],
    species: Annotated[
        str | None, typer.Option(help="Elements of the types, e.g. Cu,Pd; for files that do not name them.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
    keys: KeysOption = None,
    file_format: FormatOption = None,
    json: JsonOption = False,
) -> None:
    """Errors of a potential on labelled structures: MAE, RMSE and largest.

    Energies in meV per atom, force components in eV/Å, stress components in GPa; with --json eV and eV/Å³.

    Example: alflow evaluate pot.mtp test.extxyz
    """
    from alflow.potentials import read_potential
    from alflow.potentials.errors import evaluate_errors
    from alflow.structures.files import read_structures

    model = read_potential(potential, parse_species(species))
    structures = read_structures(
        data, labelled=True, species=model.species, keys=parse_keys(keys), file_format=file_format
    )
    errors = evaluate_errors(model, structures, threads=threads)
    if json:
        print_json({"potential": potential, "data": data, "errors": errors})
    else:
        print_errors(f"{potential} on {data}", {data.name: errors})
