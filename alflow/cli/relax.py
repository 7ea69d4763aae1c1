"""`alflow relax`: relax structures, with or without grade control."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from alflow.cli.output import FormatOption, JsonOption, check_writable, print_json, print_note, print_table
from alflow.cli.simulation import (
    ActiveSetOption,
    GammaBreakOption,
    GammaSaveOption,
    MaxVolumeChangeOption,
    MinDistanceOption,
    ModeOption,
    Notes,
    PotentialArgument,
    SavedOption,
    SpeciesOption,
    TrainOption,
    make_calculator,
    make_control,
    stop_on_interrupt,
)
from alflow.errors import InputError


def relax(
    potential: PotentialArgument,
    structures: Annotated[Path, typer.Argument(help="Structures to relax, one after the other.")],
    fmax: Annotated[float, typer.Option(help="Converged if no force exceeds this value, eV/Å.")] = 0.01,
    smax: Annotated[
        float, typer.Option(help="Converged if no stress component differs more from the pressure, GPa.")
    ] = 0.1,
    steps: Annotated[int, typer.Option(help="Largest number of steps per structure.")] = 500,
    cell: Annotated[bool, typer.Option("--cell/--fixed-cell", help="Relax the cell too.")] = True,
    pressure: Annotated[float, typer.Option(help="External pressure on the cell, GPa.")] = 0.0,
    train: TrainOption = None,
    active_set: ActiveSetOption = None,
    mode: ModeOption = "neighborhood",
    gamma_save: GammaSaveOption = 2.1,
    gamma_break: GammaBreakOption = 10.0,
    min_distance: MinDistanceOption = 0.5,
    max_volume_change: MaxVolumeChangeOption = 0.5,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Relaxed structures to write (.extxyz, .cfg, POSCAR)."),
    ] = None,
    saved: SavedOption = None,
    species: SpeciesOption = None,
    file_format: FormatOption = None,
    json: JsonOption = False,
) -> None:
    """Relax structures; with --train or --active-set, pause where the potential extrapolates too far.

    For a paused structure, the command writes the last frame that did not extrapolate. Frames that cannot be
    used or relaxed are set aside and counted on stderr. Constraints of the file hold; with --cell, atoms that
    are fixed move with the cell.

    Example: alflow relax pot.mtp candidates.extxyz --train train.extxyz -o relaxed.extxyz
    """
    from numpy.linalg import LinAlgError

    from alflow.simulation import Guards, Relaxation
    from alflow.simulation import relax as relax_one
    from alflow.structures.batch import SetAside, read_batch
    from alflow.structures.files import log_notes, write_structures

    for path in (output, saved):
        if path:
            check_writable(path)
    settings = Relaxation(max_force_eV_A=fmax, max_stress_GPa=smax, steps=steps)
    calculator = make_calculator(potential, species, train, active_set, mode)
    control = make_control(calculator, gamma_save, gamma_break)
    guards = Guards(min_distance_A=min_distance, max_temperature_K=None, max_volume_change=max_volume_change)
    note = Notes()
    found = read_batch(structures, species=calculator.potential.species, file_format=file_format)
    log_notes(found)
    starts, last = found.structures, found.numbers[-1]
    rows, relaxed, extrapolative, aside = [], [], [], SetAside()
    if cell and any(atoms.constraints for atoms in starts):
        print_note(
            f"{structures}: has constraints; fixed atoms move with the cell, unless --fixed-cell is given"
        )
    with stop_on_interrupt() as stop_requested:
        for number, atoms in zip(found.numbers, starts, strict=True):
            try:
                result = relax_one(
                    atoms,
                    calculator,
                    settings,
                    cell=cell,
                    pressure_GPa=pressure,
                    control=control,
                    guards=guards,
                    on_progress=lambda step, energy, force, number=number: note(  # type: ignore[misc]
                        f"frame {number} of {last}, step {step}, {force:.3g} eV/Å"
                    ),
                    stop_requested=stop_requested,
                )
            except (InputError, ArithmeticError, LinAlgError) as error:
                aside.add(f"frame {number}: {error}")
                continue
            result.atoms.info |= {"state": result.state, "energy_eV": result.energy_eV}
            relaxed.append(result.atoms)
            extrapolative += result.saved
            rows.append(_row(number, result))
            if stop_requested():
                break
    notes = aside.notes(structures, len(starts))
    if not relaxed:
        raise InputError("; ".join(notes))
    for text in notes:
        print_note(text)
    for target, frames in ((output, relaxed), (saved, extrapolative)):
        if target and frames:
            write_structures(target, frames, species=calculator.potential.species)
    if json:
        print_json({"structures": rows, "set_aside": found.set_aside | aside.counts()})
    else:
        columns = ["frame", "formula", "state", "steps", "eV/atom", "eV/Å", "Å³"]
        print_table(f"{len(rows)} of {len(starts)}", columns, [list(row.values())[:7] for row in rows])
        for row in rows:
            if row["reason"]:
                print_note(f"frame {row['frame']} paused: {row['reason']}")


def _row(number: int, result: Any) -> dict[str, Any]:
    return {
        "frame": number,
        "formula": result.atoms.get_chemical_formula(),
        "state": result.state,
        "steps": result.steps,
        "energy_eV_per_atom": result.energy_eV / len(result.atoms),
        "max_force_eV_A": result.max_force_eV_A,
        "volume_A3": float(result.atoms.cell.volume),
        "saved_frames": len(result.saved),
        "reason": result.reason,
    }
