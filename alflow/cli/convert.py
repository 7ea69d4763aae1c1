"""`alflow convert`: structures from one file format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alflow.cli.output import (
    FormatOption,
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
    train: Annotated[
        Path | None,
        typer.Option(
            help="Training set of a potential, from which its active set is made for a .almtp file."
        ),
    ] = None,
    mode: Annotated[
        Literal["neighborhood", "configuration"],
        typer.Option(help="With --train: grade each atom, or each structure as a whole."),
    ] = "neighborhood",
    keys: KeysOption = None,
    file_format: FormatOption = None,
    output_format: Annotated[
        str | None, typer.Option(help="Format of OUT where its name misleads: mlip-cfg, or ASE's name.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Convert structures, or a potential, from one file format to another.

    Energies (eV), forces (eV/Å) and stresses (eV/Å³) are kept if the format can hold them; MLIP's PlusStress
    is converted. Frames that cannot be used are set aside and counted on stderr.

    A potential with its active set is a .almtp file, which MLIP-3 and LAMMPS read too.

    Example: alflow convert train.extxyz train.cfg --species Cu,Pd

    Example: alflow convert pot.mtp pot.almtp --train train.extxyz
    """
    from alflow.potentials.files import is_potential_file
    from alflow.structures.batch import read_batch
    from alflow.structures.files import log_notes, write_structures

    check_writable(target)
    symbols = parse_species(species)
    if is_potential_file(source):
        _convert_potential(source, target, symbols, train, mode)
        if json:
            print_json({"written": target})
        else:
            print_note(f"{target}: written")
        return
    found = read_batch(source, species=symbols, keys=parse_keys(keys), file_format=file_format)
    log_notes(found)
    structures = found.structures
    write_structures(target, structures, species=symbols, file_format=output_format)
    if json:
        print_json({"structures": len(structures), "set_aside": found.set_aside, "written": target})
    else:
        print_note(f"{target}: {len(structures)} structure(s)")


def _convert_potential(
    source: Path,
    target: Path,
    species: list[str] | None,
    train: Path | None,
    mode: Literal["neighborhood", "configuration"],
) -> None:
    from alflow.errors import InputError
    from alflow.potentials import read_potential, write_potential
    from alflow.selection import ActiveSet
    from alflow.selection.graded import SUFFIX, active_configurations, read_graded, write_graded
    from alflow.structures.files import read_structures

    if target.suffix != SUFFIX:
        write_potential(target, read_potential(source, species))
        return
    potential, active_set = read_graded(source, species)
    if train:
        structures = read_structures(train, species=potential.species)
        active_set = ActiveSet.from_structures(potential, structures, mode)
    elif active_set is not None:
        structures = active_configurations(source, potential.species)
    else:
        raise InputError(
            f"{target}: a .almtp file holds the active set too; give the training set with --train"
        )
    write_graded(target, potential, active_set, structures)
