"""Molecular dynamics under grade control."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from ase import Atoms, units

from alflow.errors import InputError
from alflow.simulation.calculator import ForceCalculator, require_results, require_stress, want_grades
from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.checkpoint import Checkpoint
from alflow.simulation.integrators import make_integrator
from alflow.simulation.peaks import Peaks
from alflow.simulation.settings import GradeControl, Guards, MDSettings
from alflow.simulation.start import first_checkpoint
from alflow.simulation.trajectory import TrajectoryWriter
from alflow.simulation.watch import FrameWatch

HISTORY_LIMIT = 2000

State = Literal["finished", "paused", "interrupted", "running"]


class Observation(NamedTuple):
    """Recorded values of a step; the grade is NaN if the calculator gives none."""

    step: int
    extrapolation_grade: float
    temperature_K: float
    energy_eV: float
    volume_A3: float


@dataclass(frozen=True)
class MDResult:
    """Outcome of a run.

    Attributes
    ----------
    state
        "finished": all steps done. "paused": a threshold or guard was exceeded, see `reason`. "interrupted":
        a stop was requested. "running": a partial result, handed to `on_checkpoint`.
    reason
        Why the run paused; empty otherwise.
    checkpoint
        The last safe frame (γ ≤ γ_save), or the start of this call if there was none since.
    saved
        Extrapolative frames (`CandidateFrames.all`) of this call, or of `frames` if `run_md` was given any.
        The last is the frame that paused the run, unless it is unphysical.
    history
        Arrays named as the fields of `Observation`, for every graded step. Long runs keep only the step with
        the highest γ of each interval (without grades, its first step); compute averages in `on_progress`.
    """

    state: State
    reason: str
    checkpoint: Checkpoint
    saved: list[Atoms]
    history: dict[str, np.ndarray]


def run_md(
    start: Atoms | Checkpoint,
    calculator: ForceCalculator,
    settings: MDSettings,
    *,
    control: GradeControl | None = None,
    guards: Guards | None = None,
    frames: CandidateFrames | None = None,
    trajectory: Path | str | None = None,
    trajectory_interval: int = 100,
    visit: Callable[[Atoms, int, float], None] | None = None,
    on_progress: Callable[[int, dict[str, Any]], None] | None = None,
    progress_interval: int = 10,
    on_checkpoint: Callable[[MDResult], None] | None = None,
    checkpoint_interval: int = 1000,
    stop_requested: Callable[[], bool] | None = None,
) -> MDResult:
    """Run until all steps are done, a frame extrapolates too far, a guard is exceeded or a stop is requested.

    A run resumed from `MDResult.checkpoint` with the same settings and calculator continues the same
    trajectory bit for bit, provided that the calculator's numbers depend only on the configuration (and not
    on the age of a neighbor list).

    Parameters
    ----------
    start
        A configuration, with or without momenta (it is not changed), or a checkpoint.
    calculator
        An ASE calculator with energy and forces, for npt also stress. `results["extrapolation_grade"]` is γ;
        `results["min_distance_A"]`, where present, spares the search for atoms too near.
    settings, control, guards
        The physics of the run, and its limits. Without `control`, γ is recorded if the calculator gives it,
        but has no effect.
    frames
        Store for extrapolative frames; by default a new one of at most `control.max_saved` frames.
    trajectory
        Extended XYZ file; a frame is written every `trajectory_interval` steps. A resumed run continues the
        file without duplicates.
    visit
        Called with the atoms, the step and the grade (NaN without) of every step, except one that pauses the
        run. The atoms move on: the function copies those that it keeps.
    on_progress
        Called with the step and the fields of `Observation`, every `progress_interval` steps.
    on_checkpoint
        Called with the result so far, every `checkpoint_interval` steps. A killed process can resume from the
        results that it stores.
    stop_requested
        Function that is called after every step; the run stops if it returns true.

    Raises
    ------
    InputError
        If the start cannot be simulated in this ensemble, or `control` is given and the calculator gives no
        grade.
    """
    guards = guards or Guards()
    if settings.ensemble == "npt":
        require_stress(calculator, "ensemble is 'npt'")
    check_guards(settings, guards)
    if isinstance(start, Atoms):
        start = first_checkpoint(start, settings)
    frames = frames or CandidateFrames(control.max_saved if control else 1)
    writer = (
        None if trajectory is None else TrajectoryWriter(Path(trajectory), trajectory_interval, start.step)
    )
    with writer or nullcontext(), _grades_wanted_again(calculator):
        run = _Run(start, calculator, settings, control, guards, frames)
        while True:
            seen, reason = run.observe()
            if reason:
                return run.result("paused", reason)
            if writer is not None:
                writer.write(run.atoms, seen.step, seen.extrapolation_grade)
            if visit is not None:
                visit(run.atoms, seen.step, seen.extrapolation_grade)
            if on_progress is not None and seen.step % progress_interval == 0:
                on_progress(seen.step, seen._asdict())
            if seen.step >= settings.steps:
                return run.result("finished")
            if stop_requested is not None and stop_requested():
                return run.result("interrupted")
            if on_checkpoint is not None and seen.step % checkpoint_interval == 0 and seen.step > start.step:
                on_checkpoint(run.result("running"))
            run.advance()


def check_guards(settings: MDSettings, guards: Guards) -> None:
    """Check that the settings of a run respect its guards.

    Raises
    ------
    InputError
        If the thermostat would exceed the limit of temperature.
    """
    limit, highest_K = guards.max_temperature_K, settings.highest_temperature_K
    if limit is not None and limit <= highest_K:
        raise InputError(f"max_temperature_K is {limit:g}, but must be above temperature_K = {highest_K:g}")


@contextmanager
def _grades_wanted_again(calculator: ForceCalculator) -> Iterator[None]:
    """Switch grades of the calculator on again at the end of the block."""
    try:
        yield
    finally:
        want_grades(calculator, True)


class _Run:
    """One call of `run_md`: the moving atoms, their integrator, the watch and the kept frames."""

    def __init__(
        self,
        start: Checkpoint,
        calculator: ForceCalculator,
        settings: MDSettings,
        control: GradeControl | None,
        guards: Guards,
        frames: CandidateFrames,
    ) -> None:
        self.settings = settings
        self.step = self.first_step = start.step
        self.checkpoint = start
        self.atoms = start.to_atoms()
        self.atoms.calc = calculator
        self.random = start.random_generator()
        want_grades(calculator, True)
        self.dynamics = make_integrator(self.atoms, settings, self.random, start.cell_momenta)
        self.watch = FrameWatch(control, guards, frames, start.reference_volume_A3)
        self.history: Peaks[Observation] = Peaks(HISTORY_LIMIT)
        self._temperature_per_energy = 2 / (self.atoms.get_number_of_degrees_of_freedom() or 1) / units.kB
        self._cell_moves = settings.ensemble == "npt"
        self._volume_A3 = float(self.atoms.cell.volume)
        self.atoms.get_forces()
        require_results(calculator, control)

    @property
    def graded(self) -> bool:
        """Whether the grade of the present step counts: at multiples of `grade_every` and at the ends."""
        at_an_end = self.step in (self.first_step, self.settings.steps)
        return at_an_end or self.step % self.settings.grade_every == 0

    def advance(self) -> None:
        self.step += 1
        want_grades(self.atoms.calc, self.graded)
        self.dynamics.advance(self.step)
        if self._cell_moves:
            self._volume_A3 = float(self.atoms.cell.volume)

    def observe(self) -> tuple[Observation, str]:
        """Record the frame, keep it if extrapolative, and return why the run must pause (else empty)."""
        results, graded = self.atoms.calc.results, self.graded
        seen = Observation(
            step=self.step,
            extrapolation_grade=float(results.get("extrapolation_grade", math.nan)) if graded else math.nan,
            temperature_K=float(self.atoms.get_kinetic_energy() * self._temperature_per_energy),
            energy_eV=float(results["energy"]),
            volume_A3=self._volume_A3,
        )
        if graded and math.isfinite(seen.energy_eV):
            self.history.offer(self.step, seen.extrapolation_grade, lambda: seen)
        safe, reason = self.watch.judge(
            self.atoms, self.step, volume_A3=seen.volume_A3, temperature_K=seen.temperature_K, graded=graded
        )
        if safe:
            self.checkpoint = self._checkpoint()
        return seen, reason

    def result(self, state: State, reason: str = "") -> MDResult:
        columns = np.array(self.history.items()).reshape(-1, len(Observation._fields)).T
        history = dict(zip(Observation._fields, columns, strict=True))
        history["step"] = history["step"].astype(np.int64)
        return MDResult(state, reason, self.checkpoint, self.watch.frames.all(), history)

    def _checkpoint(self) -> Checkpoint:
        before = self.checkpoint
        return Checkpoint(
            step=self.step,
            numbers=before.numbers,
            masses=before.masses,
            fixed=before.fixed,
            positions=self.atoms.positions.copy(),
            momenta=self.atoms.arrays["momenta"].copy(),
            cell=self.atoms.cell.array.copy(),
            pbc=before.pbc,
            cell_momenta=self.dynamics.cell_momenta,
            reference_volume_A3=before.reference_volume_A3,
            random_state=self.random.bit_generator.state,
        )
