"""`alflow md`: one molecular-dynamics run, with or without grade control."""

from __future__ import annotations

import json as json_format
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alflow.cli.output import FormatOption, JsonOption, check_writable, print_json, print_note, print_table
from alflow.cli.simulation import (
    ActiveSetOption,
    GammaBreakOption,
    GammaSaveOption,
    MaxVolumeChangeOption,
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
from alflow.files import write_completely

if TYPE_CHECKING:
    from ase import Atoms

    from alflow.simulation import Checkpoint, MDResult

WITHOUT_GRADES = (
    "no active set: the run cannot tell when the potential extrapolates; give --active-set or --train"
)


def md(
    potential: PotentialArgument,
    start: Annotated[
        Path, typer.Argument(help="File with the starting structure; the last structure of the file is used.")
    ],
    ensemble: Annotated[Literal["nve", "nvt", "npt"], typer.Option(help="Thermodynamic ensemble.")] = "nvt",
    temperature: Annotated[
        float,
        typer.Option(
            help="Temperature of the thermostat, and of initial velocities unless START has some, K."
        ),
    ] = 300.0,
    temperature_to: Annotated[
        float | None, typer.Option(help="Temperature at the end of a linear ramp from --temperature, K.")
    ] = None,
    pressure: Annotated[float, typer.Option(help="Pressure of the barostat, GPa.")] = 0.0,
    pressure_to: Annotated[
        float | None, typer.Option(help="Pressure at the end of a linear ramp from --pressure, GPa.")
    ] = None,
    cell: Annotated[
        Literal["isotropic", "axes", "free"],
        typer.Option(help="With npt: the volume, the lengths of the axes, or the whole cell changes."),
    ] = "isotropic",
    barostat_time: Annotated[float, typer.Option(help="Time constant of the barostat, fs.")] = 1000.0,
    steps: Annotated[int, typer.Option(help="Number of steps, including those before a resumption.")] = 1000,
    timestep: Annotated[float, typer.Option(help="fs.")] = 1.0,
    friction: Annotated[float, typer.Option(help="Friction of the Langevin thermostat, 1/fs.")] = 0.01,
    seed: Annotated[int, typer.Option(help="Seed of velocities and thermostat.")] = 0,
    train: TrainOption = None,
    active_set: ActiveSetOption = None,
    mode: ModeOption = "neighborhood",
    grade_every: Annotated[
        int, typer.Option(help="Steps between grades; the run pauses at most this many steps late.")
    ] = 1,
    gamma_save: GammaSaveOption = 2.1,
    gamma_break: GammaBreakOption = 10.0,
    min_distance: Annotated[
        float | None,
        typer.Option(help="Pause when two atoms are closer than this, Å. Default: 0.5, none with a core."),
    ] = None,
    max_temperature: Annotated[float, typer.Option(help="Pause above this temperature, K.")] = 10000.0,
    max_volume_change: MaxVolumeChangeOption = 0.5,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Trajectory to write (.extxyz).")
    ] = None,
    interval: Annotated[int, typer.Option(min=1, help="Steps between frames of the trajectory.")] = 100,
    saved: SavedOption = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="File (.json) for the state of the run; if it exists, the run resumes from it."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the potential.")] = 1,
    species: SpeciesOption = None,
    file_format: FormatOption = None,
    json: JsonOption = False,
) -> None:
    """Run molecular dynamics; with --train or --active-set, pause where the potential extrapolates too far.

    You can interrupt a run with --checkpoint (Ctrl-C, kill) and start it again: it continues as if it had not
    been interrupted. With another potential, it continues from the last frame that did not extrapolate.

    Exits with code 1 if a guard or a grade ended the run before its last step; the reason is printed.

    Example: alflow md pot.mtp start.extxyz --train train.extxyz --steps 20000 -o md.extxyz
    """
    from alflow.simulation import Guards, MDSettings, PressureRamp, TemperatureRamp, run_md
    from alflow.structures.files import write_structures

    for path in (output, saved, checkpoint):
        if path:
            check_writable(path)
    settings = MDSettings(
        ensemble=ensemble,
        npt_cell=cell,
        temperature_K=(
            temperature if temperature_to is None else TemperatureRamp.between(temperature, temperature_to)
        ),
        pressure_GPa=pressure if pressure_to is None else PressureRamp.between(pressure, pressure_to),
        timestep_fs=timestep,
        steps=steps,
        friction_per_fs=friction,
        barostat_time_fs=barostat_time,
        grade_every=grade_every,
        seed=seed,
    )
    calculator = make_calculator(potential, species, train, active_set, mode)
    if min_distance is None and getattr(calculator.potential, "core", None) is None:
        min_distance = 0.5
    guards = Guards(
        min_distance_A=min_distance, max_temperature_K=max_temperature, max_volume_change=max_volume_change
    )
    calculator.threads = threads
    control = make_control(calculator, gamma_save, gamma_break)
    begin = _begin(start, checkpoint, calculator.potential.species, file_format)
    first_step = getattr(begin, "step", 0)
    if first_step:
        print_note(f"resuming from step {first_step} of {checkpoint}")
    progress = _Progress(steps, graded=control is not None)
    began_s = time.perf_counter()
    with stop_on_interrupt() as stop_requested:
        result = run_md(
            begin,
            calculator,
            settings,
            control=control,
            guards=guards,
            trajectory=output,
            trajectory_interval=interval,
            on_progress=progress,
            on_checkpoint=lambda partial: _keep(partial.checkpoint, checkpoint),
            stop_requested=stop_requested,
        )
    _keep(result.checkpoint, checkpoint)
    if saved and result.saved:
        write_structures(saved, result.saved, species=calculator.potential.species)
    summary = _summary(result, first_step, timestep, time.perf_counter() - began_s)
    _report({**summary, "mean_temperature_K": progress.mean_temperature_K()}, json)
    if result.state == "paused":
        print_note(f"the run ended before its last step: {result.reason}")
        raise typer.Exit(1)


def _begin(
    start: Path, checkpoint: Path | None, species: tuple[str, ...], file_format: str | None
) -> Atoms | Checkpoint:
    from alflow.simulation import Checkpoint
    from alflow.structures.constraints import constraints_of, fixed_components, lost_constraints
    from alflow.structures.files import read_structures

    if checkpoint is None or not checkpoint.exists():
        atoms = read_structures(start, species=species, file_format=file_format)[-1]
        if not lost_constraints(atoms, "extxyz"):  # three fixed components are a fixed atom
            atoms.set_constraint(constraints_of(fixed_components(atoms)))
        return atoms
    try:
        data = json_format.loads(checkpoint.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{checkpoint}: cannot be read as a checkpoint ({error})") from None
    return Checkpoint.from_dict(data)


def _keep(checkpoint: Checkpoint, path: Path | None) -> None:
    if path is None:
        return
    data = {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in checkpoint.to_dict().items()
    }
    write_completely(path, json_format.dumps(data))


class _Progress:
    """Prints the progress of the run, and averages quantities that a thinned history would distort."""

    def __init__(self, steps: int, *, graded: bool) -> None:
        self.steps = steps
        self.graded = graded
        self.note = Notes()
        self.count, self.sum_K = 0, 0.0

    def __call__(self, step: int, info: dict[str, Any]) -> None:
        if not self.count and not self.graded:  # here, because bad input is one sentence and nothing else
            print_note(WITHOUT_GRADES)
        self.count += 1
        self.sum_K += info["temperature_K"]
        grade = info["extrapolation_grade"]
        shown = f", γ {grade:.2f}" if math.isfinite(grade) else ""
        self.note(
            f"step {step} of {self.steps}, {info['temperature_K']:.0f} K, {info['energy_eV']:.3f} eV{shown}"
        )

    def mean_temperature_K(self) -> float | None:
        return self.sum_K / self.count if self.count else None


def _summary(result: MDResult, first_step: int, timestep_fs: float, seconds: float) -> dict[str, Any]:
    history = result.history
    grades = [grade for grade in history["extrapolation_grade"].tolist() if math.isfinite(grade)]
    last_step = int(history["step"].max(initial=first_step))
    ns = (last_step - first_step) * timestep_fs * 1e-6
    return {
        "state": result.state,
        "reason": result.reason,
        "first_step": first_step,
        "last_step": last_step,
        "checkpoint_step": result.checkpoint.step,
        "highest_grade": max(grades, default=None),
        "saved_frames": len(result.saved),
        "final_volume_A3": float(history["volume_A3"][-1]) if len(history["step"]) else None,
        "seconds": seconds,
        "ns_per_day": ns / seconds * 86400,
    }


def _report(summary: dict[str, Any], json: bool) -> None:
    if json:
        print_json(summary)
        return
    title = summary.pop("state") + (f": {reason}" if (reason := summary.pop("reason")) else "")
    print_table(title, ["", "value"], [[name.replace("_", " "), value] for name, value in summary.items()])
