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
    """Outcome of a relaxation.

    Attributes
    ----------
    state
        "converged"; "unconverged": the steps are used up; "paused": a threshold or guard was exceeded, see
        `reason`; "interrupted": a stop was requested.
    reason
        Why the relaxation paused; empty otherwise.
    atoms
        The last frame. A paused relaxation gives the last safe frame (γ ≤ γ_save; the start if there was
        none), from which it can be resumed. `info` has "step". The frame has no calculator.
    energy_eV, max_force_eV_A
        Energy and largest force on an atom of that frame (NaN if there was no safe one).
    steps
        Steps done.
    saved
        Extrapolative frames, as in `MDResult`.
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
        Same as in `run_md`; the guard of temperature is not used here.
    settings
        Limits of force, stress and steps; the stress counts with `cell` only.
    cell, pressure_GPa
        Whether to relax the cell too, and the pressure on it (a positive pressure compresses).
    on_progress
        Called at each step with step, energy in eV and largest force on an atom in eV/Å.
    stop_requested
        Function that is called after every step; the relaxation stops if it returns true.

    Raises
    ------
    InputError
        If the start cannot be relaxed, or the calculator lacks a required property.
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
