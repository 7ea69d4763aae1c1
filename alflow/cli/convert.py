"""`alflow convert`: structures from one file format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alflow.cli.output import (
    JsonOption,
    KeysOption,
    check_writable,
    parse_keys,
    parse_species,
    print_json,
    print_note,
)


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Extended XYZ, MLIP .cfg, POSCAR, OUTCAR, …")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The name decides the format.")],
    species: Annotated[
        str | None, typer.Option(help="Elements of the types of .cfg files, in their order, e.g. Cu,Pd.")
    ] = None,
    keys: KeysOption = None,
    input_format: Annotated[
        str | None,
        typer.Option("--format", help="Format of IN where its name misleads: mlip-cfg, or ASE's name."),
    ] = None,
    output_format: Annotated[
        str | None, typer.Option(help="Format of OUT where its name misleads: mlip-cfg, or ASE's name.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Convert structures from one file format to another.

    Energies (eV), forces (eV/Å) and stresses (eV/Å³) are kept if the format can hold them; MLIP's PlusStress
    is converted. The command refuses invalid structures.

    Example: alflow convert train.extxyz train.cfg --species Cu,Pd
    """
    from alflow.structures.files import read_structures, write_structures

    check_writable(target)
    symbols = parse_species(species)
    structures = read_structures(source, species=symbols, keys=parse_keys(keys), file_format=input_format)
    write_structures(target, structures, species=symbols, file_format=output_format)
    if json:
        print_json({"structures": len(structures), "written": target})
    else:
        print_note(f"{target}: {len(structures)} structure(s)")
