"""`alflow grade`: extrapolation grades of structures with respect to a potential's training set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alflow.cli.output import JsonOption, check_writable, print_json, print_note, print_table
from alflow.cli.simulation import NO_GRADES, ActiveSetOption, TrainOption, read_with_grades
from alflow.errors import InputError

SHOWN = 10


def grade(
    potential: Annotated[Path, typer.Argument(help="File of the potential, such as MLIP's .mtp or .almtp.")],
    data: Annotated[Path, typer.Argument(help="Structures to grade.")],
    train: TrainOption = None,
    active_set: ActiveSetOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Graded structures to write (.extxyz or .cfg).")
    ] = None,
    mode: Annotated[
        Literal["neighborhood", "configuration"],
        typer.Option(help="With --train: grade each atom, or each structure as a whole."),
    ] = "neighborhood",
    species: Annotated[
        str | None, typer.Option(help="Elements of the types, e.g. Cu,Pd; for files that do not name them.")
    ] = None,
    gamma_save: Annotated[float, typer.Option(min=1, help="Count structures above this grade.")] = 2.1,
    json: JsonOption = False,
) -> None:
    """Grade structures by how far they lie outside the training set.

    γ is the D-optimality extrapolation grade. It is dimensionless; up to γ = 1 the potential interpolates.
    The output holds extrapolation_grade per structure; in mode neighborhood also extrapolation_grades per
    atom.

    Example: alflow grade pot.almtp md.extxyz -o graded.extxyz
    """
    import numpy as np

    from alflow.structures.files import read_structures, write_structures

    if output:
        check_writable(output)
    model, active = read_with_grades(potential, species, train, active_set, mode)
    if active is None:
        raise InputError(NO_GRADES)
    structures = read_structures(data, species=model.species)
    graded = active.grade_structures(model, structures)
    for atoms, (gamma, by_atom) in zip(structures, graded, strict=True):
        atoms.info["extrapolation_grade"] = gamma
        if by_atom is not None:
            atoms.set_array("extrapolation_grades", by_atom)
    if output:
        write_structures(output, structures, species=model.species)

    gammas = np.array([gamma for gamma, _ in graded])
    if json:
        print_json({"extrapolation_grades": gammas, "above_gamma_save": int((gammas > gamma_save).sum())})
        return
    highest = np.argsort(-gammas)[:SHOWN]
    print_table(
        f"Highest grades of {len(structures)} structures",
        ["frame", "formula", "γ"],
        [[int(i) + 1, structures[i].get_chemical_formula(), float(gammas[i])] for i in highest],
    )
    print_note(f"{(gammas > gamma_save).sum()} of {len(gammas)} structures above γ = {gamma_save:g}")
