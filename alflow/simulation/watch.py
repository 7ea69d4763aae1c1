"""Judgement of frames: whether the simulation may go on from a frame, and whether it is worth a label."""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms

from alflow.simulation.calculator import grade_after_all
from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.distances import DistanceWatch
from alflow.simulation.settings import GradeControl, Guards


class FrameWatch:
    """Judge the frames of one simulation by grade and guards, and keep the extrapolative ones.

    Parameters
    ----------
    control, guards
        Limits; without `control` grades have no effect and no frame is kept.
    frames
        Store for extrapolative frames, and for the frame that caused a pause if it is physical.
    reference_volume_A3
        Volume to which the volume guard compares.
    """

    def __init__(
        self,
        control: GradeControl | None,
        guards: Guards,
        frames: CandidateFrames,
        reference_volume_A3: float,
    ) -> None:
        self.control = control
        self.guards = guards
        self.frames = frames
        self.reference_volume_A3 = reference_volume_A3
        self._distances = None if guards.min_distance_A is None else DistanceWatch(guards.min_distance_A)

    def judge(
        self, atoms: Atoms, step: int, *, volume_A3: float, temperature_K: float = 0.0, graded: bool = True
    ) -> tuple[bool, str]:
        """Whether a run can safely resume from the frame, and why the simulation must pause (else empty).

        Under control a frame that is not `graded` is not safe, but the guards apply to it as well. If the
        calculator gives `results["min_distance_A"]`, the search for the nearest pair is skipped.
        """
        if reason := self._not_finite(atoms) or self._too_near(atoms):
            return False, f"step {step}: {reason}"
        grade = float(atoms.calc.results.get("extrapolation_grade", math.nan)) if graded else math.nan
        if (
            reason := self._above_break(grade)
            or self._too_hot(temperature_K)
            or self._too_strained(volume_A3)
        ):
            if self.control is not None:
                self.frames.keep(atoms, step, grade if graded else grade_after_all(atoms))
            return False, f"step {step}: {reason}"
        if self.control is not None and grade > self.control.gamma_save:
            self.frames.offer(atoms, step, grade)
            return False, ""
        return graded or self.control is None, ""

    def _not_finite(self, atoms: Atoms) -> str:
        results = atoms.calc.results
        arrays = (atoms.positions, atoms.cell.array, results["forces"])
        numbers = (results["energy"], results.get("extrapolation_grade", 0.0))
        # A sum of squares is finite if all numbers (below 1e154) are, and takes a quarter of the time.
        if all(math.isfinite(x) for x in (*numbers, *(np.vdot(array, array) for array in arrays))):
            return ""
        return "energy, forces, positions or grade are not finite numbers"

    def _too_near(self, atoms: Atoms) -> str:
        limit = self.guards.min_distance_A
        if limit is None or self._distances is None:
            return ""
        nearest = atoms.calc.results.get("min_distance_A")
        if nearest is None:
            nearest = self._distances.violation(atoms)
        if nearest is None or nearest >= limit:
            return ""
        return f"two atoms are {nearest:.3f} Å apart, nearer than min_distance_A = {limit:g}"

    def _above_break(self, grade: float) -> str:
        if self.control is None or not grade > self.control.gamma_break:
            return ""
        return f"the extrapolation grade is {grade:.3g}, above gamma_break = {self.control.gamma_break:g}"

    def _too_hot(self, temperature_K: float) -> str:
        limit = self.guards.max_temperature_K
        if limit is None or temperature_K <= limit:
            return ""
        return f"the temperature is {temperature_K:.0f} K, above max_temperature_K = {limit:g}"

    def _too_strained(self, volume_A3: float) -> str:
        limit = self.guards.max_volume_change
        if limit is None or self.reference_volume_A3 == 0:
            return ""
        change = volume_A3 / self.reference_volume_A3 - 1
        if abs(change) <= limit:
            return ""
        return f"the volume has changed by {change:+.0%}, beyond max_volume_change = {limit:g}"
