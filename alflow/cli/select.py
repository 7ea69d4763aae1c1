"""`alflow select`: choose the structures that are most worth a label."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer

from alflow.cli.output import FormatOption, JsonOption, check_writable, print_json, print_note, print_table
from alflow.cli.simulation import NO_GRADES, ActiveSetOption, TrainOption, read_with_grades
from alflow.errors import InputError


def select(
    potential: Annotated[Path, typer.Argument(help="File of the potential, such as MLIP's .mtp or .almtp.")],
    candidates: Annotated[Path, typer.Argument(help="Structures to choose from.")],
    train: TrainOption = None,
    active_set: ActiveSetOption = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Chosen structures to write.")] = Path(
        "chosen.extxyz"
    ),
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, help="Choose at most this many structures.")
    ] = 20,
    mode: Annotated[
        Literal["neighborhood", "configuration"],
        typer.Option(help="With --train: grade each atom, or each structure as a whole."),
    ] = "neighborhood",
    min_distance: Annotated[
        float | None, typer.Option(min=0, help="Refuse structures with atoms closer than this, Å.")
    ] = None,
    gamma_select: Annotated[
        float, typer.Option(min=1, help="Choose only structures above this grade.")
    ] = 2.1,
    species: Annotated[
        str | None, typer.Option(help="Elements of the types, e.g. Cu,Pd; for files that do not name them.")
    ] = None,
    file_format: FormatOption = None,
    json: JsonOption = False,
) -> None:
    """Choose the structures that are most worth a label.

    The choice is D-optimal: each chosen structure lowers the grade γ (dimensionless) of similar ones.
    Near-duplicates are refused. If nothing is chosen, no file is written, the reasons are counted, and the
    exit code is 1.

    Example: alflow select pot.mtp --train train.extxyz md.extxyz -n 10 -o chosen.extxyz
    """
    import numpy as np

    from alflow.selection import fingerprint
    from alflow.selection import select as select_structures
    from alflow.selection.graded import active_configurations
    from alflow.structures.files import read_structures, write_structures

    check_writable(output)
    model, active = read_with_grades(potential, species, train, active_set, mode)
    if active is None:
        raise InputError(NO_GRADES)
    source = train or active_set or potential
    known = read_structures(train, species=model.species) if train else []
    if source.suffix == ".almtp":
        known = active_configurations(source, model.species)
    structures = read_structures(candidates, species=model.species, file_format=file_format)
    selection = select_structures(
        model,
        active,
        structures,
        count,
        known=[fingerprint(atoms) for atoms in known],
        min_distance_A=min_distance,
        gamma_select=gamma_select,
    )
    chosen = [structures[index] for index in selection.chosen]
    for atoms, index in zip(chosen, selection.chosen, strict=True):
        atoms.info["extrapolation_grade"] = float(selection.grades[index])
    if chosen:
        write_structures(output, chosen, species=model.species)
    below = len(structures) - len(selection.rejected) - len(chosen)

    picks = [
        {
            "frame": i + 1,
            "formula": structures[i].get_chemical_formula(),
            "extrapolation_grade": selection.grades[i],
        }
        for i in selection.chosen
    ]
    rejected = [{"frame": i + 1, "reason": reason} for i, reason in sorted(selection.rejected.items())]
    if json:
        left = int(np.nansum(selection.final_grades > gamma_select))
        print_json(
            {
                "written": output if chosen else None,
                "chosen": picks,
                "rejected": rejected,
                "left_above_gamma_select": left,
            }
        )
    elif chosen:
        print_table(
            f"Chosen, in this order, written to {output}",
            ["frame", "formula", "γ"],
            [list(pick.values()) for pick in picks],
        )
        print_note(
            f"{len(chosen)} of {len(structures)} chosen, {len(rejected)} refused (--json gives the reasons)"
        )
    if not chosen:
        counts = Counter(selection.rejected.values())
        why = [f"{count}: {reason}" for reason, count in counts.most_common()]
        why = [f"{below} are not above γ = {gamma_select:g}", *why] if below else why
        print_note(
            f"none of {len(structures)} structures is chosen, and no file is written: {'; '.join(why)}"
        )
        raise typer.Exit(1)
