"""Relaxation of one structure under grade control."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from ase import Atoms, units
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS

from alflow.errors import InputError
from alflow.simulation.calculator import ForceCalculator, require_results, require_stress
from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.settings import GradeControl, Guards, Relaxation
from alflow.simulation.start import require_structure
from alflow.simulation.watch import FrameWatch

RelaxState = Literal["converged", "unconverged", "paused", "interrupted"]


@dataclass(frozen=True)
class RelaxResult:
    """What a relaxation has come to.

    Attributes
    ----------
    state
        "converged"; "unconverged": the steps are used up; "paused": a threshold or guard was exceeded, see
        `reason`; "interrupted": a stop was requested.
    reason
        Why it paused; empty otherwise.
    atoms
        The last frame; of a paused relaxation the last safe one (γ ≤ γ_save; the start if there was none),
        from which to relax on. `info` has "step". It carries no calculator.
    energy_eV, max_force_eV_A
        Of that frame (NaN if there was no safe one); the force is the largest on an atom.
    steps
        Steps done.
    saved
        Extrapolative frames, as of `run_md`.
    """

    state: RelaxState
    reason: str
    atoms: Atoms
    energy_eV: float
    max_force_eV_A: float
    steps: int
    saved: list[Atoms]


def relax(
    atoms: Atoms,
    calculator: ForceCalculator,
    settings: Relaxation | None = None,
    *,
    cell: bool = True,
    pressure_GPa: float = 0.0,
    control: GradeControl | None = None,
    guards: Guards | None = None,
    frames: CandidateFrames | None = None,
    on_progress: Callable[[int, float, float], None] | None = None,
    stop_requested: Callable[[], bool] | None = None,
) -> RelaxResult:
    """Move atoms, and with `cell` the cell, downhill (L-BFGS) to the minimum that `settings` describe.

    Parameters
    ----------
    atoms
        The start, which is not changed.
    calculator, control, guards, frames
        As of `run_md`; the guard of temperature has no meaning here.
    settings
        When the relaxation is done; the stress counts with `cell` only.
    cell, pressure_GPa
        Whether to relax the cell too, and under which pressure (positive compresses).
    on_progress
        Called at each step with step, energy in eV and largest force on an atom in eV/Å.
    stop_requested
        Asked after every step.

    Raises
    ------
    InputError
        If the start cannot be relaxed, or the calculator lacks what that needs.
    """
    settings = settings or Relaxation()
    _check(calculator, atoms, cell)
    moving = atoms.copy()
    moving.calc = calculator
    target: Any = FrechetCellFilter(moving, scalar_pressure=pressure_GPa * units.GPa) if cell else moving
    moving.get_forces()
    require_results(calculator, control)
    frames = frames or CandidateFrames(control.max_saved if control else 1)
    watch = FrameWatch(control, guards or Guards(), frames, float(atoms.cell.volume))
    optimizer = LBFGS(target, logfile=os.devnull)
    state: RelaxState = "unconverged"
    frame = safe_frame = _Frame(atoms.copy(), math.nan, math.nan)
    for _ in optimizer.irun(fmax=0.0, steps=settings.steps):
        step = optimizer.nsteps
        safe, reason = watch.judge(moving, step, volume_A3=float(moving.cell.volume))
        if reason:
            state, frame = "paused", safe_frame
            break
        frame = _Frame.of(moving, step)
        if safe:
            safe_frame = frame
        if on_progress is not None:
            on_progress(step, frame.energy_eV, frame.max_force_eV_A)
        if frame.max_force_eV_A <= settings.max_force_eV_A and (
            not cell or _stress_GPa(moving, pressure_GPa) <= settings.max_stress_GPa
        ):
            state = "converged"
            break
        if stop_requested is not None and stop_requested():
            state = "interrupted"
            break
    return RelaxResult(state, reason, *frame, steps=optimizer.nsteps, saved=frames.all())


class _Frame(NamedTuple):
    atoms: Atoms
    energy_eV: float
    max_force_eV_A: float

    @classmethod
    def of(cls, moving: Atoms, step: int) -> _Frame:
        atoms = moving.copy()
        atoms.info["step"] = step
        results = moving.calc.results
        return cls(atoms, float(results["energy"]), float(np.linalg.norm(moving.get_forces(), axis=1).max()))


def _stress_GPa(moving: Atoms, pressure_GPa: float) -> float:
    """Largest component by which the stress differs from the pressure."""
    stress = moving.get_stress(voigt=False) / units.GPa
    return float(np.abs(stress + pressure_GPa * np.eye(3)).max())


def _check(calculator: ForceCalculator, atoms: Atoms, cell: bool) -> None:
    require_structure(atoms)
    if cell:
        require_stress(calculator, "the cell is to be relaxed")
        if not (atoms.pbc.all() and atoms.cell.volume > 0):
            raise InputError(
                "the cell is to be relaxed, but the structure is not periodic in three directions"
            )
