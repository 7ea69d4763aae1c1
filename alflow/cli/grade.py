"""`alflow grade`: extrapolation grades of structures with respect to a potential's training set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alflow.cli.output import JsonOption, check_writable, parse_species, print_json, print_note, print_table

SHOWN = 10


def grade(
    potential: Annotated[Path, typer.Argument(help="File of the potential, such as MLIP's .mtp.")],
    data: Annotated[Path, typer.Argument(help="Structures to grade.")],
    train: Annotated[Path, typer.Option(help="Training set of the potential.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Graded structures to write (.extxyz or .cfg).")
    ] = None,
    mode: Annotated[
        Literal["neighborhood", "configuration"],
        typer.Option(help="Grade each atom, or each structure as a whole."),
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

    Example: alflow grade pot.mtp --train train.extxyz md.extxyz -o graded.extxyz
    """
    import numpy as np

    from alflow.potentials import read_potential
    from alflow.selection import ActiveSet
    from alflow.structures.files import read_structures, write_structures

    if output:
        check_writable(output)
    model = read_potential(potential, parse_species(species))
    known = read_structures(train, species=model.species)
    structures = read_structures(data, species=model.species)
    active_set = ActiveSet.from_structures(model, known, mode)
    graded = active_set.grade_structures(model, structures)
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
