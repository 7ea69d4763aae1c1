"""`alflow grade`: extrapolation grades of structures with respect to a potential's training set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from alflow.cli.output import FormatOption, JsonOption, check_writable, print_json, print_note, print_table
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
    file_format: FormatOption = None,
    json: JsonOption = False,
) -> None:
    """Grade structures by how far they lie outside the training set.

    γ is the D-optimality extrapolation grade. It is dimensionless; up to γ = 1 the potential interpolates.
    The output holds extrapolation_grade per structure; in mode neighborhood also extrapolation_grades per
    atom. The grade of a structure is the largest of its atoms, without ghost atoms. Frames that cannot be
    used are set aside and counted on stderr.

    Example: alflow grade pot.almtp md.extxyz -o graded.extxyz
    """
    import numpy as np

    from alflow.structures.batch import SetAside, read_batch
    from alflow.structures.files import log_notes, write_structures

    if output:
        check_writable(output)
    model, active = read_with_grades(potential, species, train, active_set, mode)
    if active is None:
        raise InputError(NO_GRADES)
    found = read_batch(data, species=model.species, file_format=file_format)
    log_notes(found)
    aside = SetAside()
    numbers, structures, graded = list(found.numbers), found.structures, []
    try:
        graded = active.grade_structures(model, structures)
    except InputError:
        active.check_belongs_to(model)
        numbers, structures = [], []
        for number, atoms in zip(found.numbers, found.structures, strict=True):
            try:
                graded += active.grade_structures(model, [atoms])
            except InputError as error:
                aside.add(f"frame {number}: {error}")
            else:
                numbers.append(number)
                structures.append(atoms)
    notes = aside.notes(data, len(found.structures))
    if not structures:
        raise InputError("; ".join(notes))
    for text in notes:
        print_note(text)
    for atoms, (gamma, by_atom) in zip(structures, graded, strict=True):
        atoms.info["extrapolation_grade"] = gamma
        if by_atom is not None:
            atoms.set_array("extrapolation_grades", by_atom)
    if output:
        write_structures(output, structures, species=model.species)

    gammas = np.array([gamma for gamma, _ in graded])
    if json:
        print_json(
            {
                "frames": numbers,
                "extrapolation_grades": gammas,
                "above_gamma_save": int((gammas > gamma_save).sum()),
                "set_aside": found.set_aside | aside.counts(),
            }
        )
        return
    highest = np.argsort(-gammas)[:SHOWN]
    print_table(
        f"Highest grades of {len(structures)} structures",
        ["frame", "formula", "γ"],
        [[numbers[i], structures[i].get_chemical_formula(), float(gammas[i])] for i in highest],
    )
    print_note(f"{(gammas > gamma_save).sum()} of {len(gammas)} structures above γ = {gamma_save:g}")
