"""Is this frame fit to go on from, and is it worth a label?"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms

from alflow.simulation.calculator import grade_after_all
from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.distances import DistanceWatch
from alflow.simulation.settings import GradeControl, Guards


class FrameWatch:
    """Judges the frames of one simulation by grade and guards, and keeps the extrapolative ones.

    Parameters
    ----------
    control, guards
        The limits; without `control` grades do not matter and nothing is kept.
    frames
        Where the extrapolative frames are kept, and the one that caused a pause, if it is physical.
    reference_volume_A3
        Volume that the volume guard compares with.
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
        """Whether the frame is safe to resume from; and why the simulation must not go on, if so.

        A frame that is not `graded` is not safe under control; the guards hold for it all the same.
        `results["min_distance_A"]`, where the calculator gives it, spares the search for the nearest pair.
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
        # A sum of squares is finite where all (below 1e154) are, and found in a quarter of the time.
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
