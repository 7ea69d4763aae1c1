"""A calculator for any ASE program: it keeps extrapolative frames, and stops the program if it has to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray

from alflow.simulation.calculator import ForceCalculator, require_results
from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.settings import GradeControl, Guards
from alflow.simulation.watch import FrameWatch

ASKED_EVERY_S = 0.5
RECORDED = 20_000
"""Largest number of evaluations in a history."""


class ExtrapolationPause(Exception):
    """The grade is too high, a guard was exceeded or a stop was requested; the message is the reason."""


class GradeSession:
    """State shared by all copies of a graded calculator: the potential, the watch and the reason of a stop.

    Parameters
    ----------
    calculator
        Calculator of the potential.
    control, guards, frames
        Same as in `run_md`; the guard of temperature is not used here.
    volume_per_atom_A3
        Volume per atom to which the volume guard compares; 0 without a cell.
    evaluations
        Number of evaluations in earlier calls of the same run.
    stop_requested, on_progress
        Functions that are called from time to time; `on_progress` is given the number of evaluations.
    visit
        Function that is called with each structure that causes no pause, its evaluation and its grade.

    Attributes
    ----------
    pause
        Why the session has stopped; empty while it has not. A stopped session stays stopped: a program that
        ignores the exception gets the same one at its next evaluation.
    evaluations
        Number of evaluations of changed structures.
    history
        Evaluation, grade and energy (eV) since the beginning of this call; if there are many, only every
        second, fourth, … evaluation.
    """

    def __init__(
        self,
        calculator: ForceCalculator,
        *,
        control: GradeControl,
        guards: Guards,
        frames: CandidateFrames,
        volume_per_atom_A3: float,
        evaluations: int = 0,
        stop_requested: Callable[[], bool] | None = None,
        on_progress: Callable[[int], None] | None = None,
        visit: Callable[[Atoms, int, float], None] | None = None,
    ) -> None:
        self.calculator = calculator
        self.pause = ""
        self.evaluations = evaluations
        self.history: list[tuple[int, float, float]] = []
        self._control = control
        self._watch = FrameWatch(control, guards, frames, volume_per_atom_A3)
        self._stop_requested = stop_requested or (lambda: False)
        self._on_progress = on_progress or (lambda _: None)
        self._visit = visit or (lambda *_: None)
        self._recorded_every = 1
        self._asked = time.monotonic()

    def evaluate(self, atoms: Atoms) -> dict[str, Any]:
        """Results of the potential.

        Raises
        ------
        ExtrapolationPause
            If the program must stop at this structure, or had to at an earlier one.
        """
        if self.pause:
            raise ExtrapolationPause(self.pause)
        frame = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        frame.calc = self.calculator
        frame.get_forces()
        require_results(self.calculator, self._control)
        results = {
            name: value.copy() if isinstance(value, np.ndarray) else value
            for name, value in self.calculator.results.items()
        }
        self.evaluations += 1
        grade, energy_eV = float(results["extrapolation_grade"]), float(results["energy"])
        if self.evaluations % self._recorded_every == 0:
            self._record(grade, energy_eV)
        volume_A3 = float(frame.cell.volume) / len(frame)
        _, self.pause = self._watch.judge(frame, self.evaluations, volume_A3=volume_A3)
        self._ask()
        if self.pause:
            raise ExtrapolationPause(self.pause)
        self._visit(frame, self.evaluations, grade)
        return results

    def _record(self, grade: float, energy_eV: float) -> None:
        self.history.append((self.evaluations, grade, energy_eV))
        if len(self.history) > RECORDED:
            self._recorded_every *= 2
            self.history = [row for row in self.history if row[0] % self._recorded_every == 0]

    def table(self) -> dict[str, NDArray[np.generic]]:
        """The history as columns."""
        table = np.array(self.history, dtype=float).reshape(-1, 3)
        return {
            "step": table[:, 0].astype(np.int64),
            "extrapolation_grade": table[:, 1].copy(),
            "energy_eV": table[:, 2].copy(),
        }

    def _ask(self) -> None:
        if time.monotonic() - self._asked < ASKED_EVERY_S:
            return
        self._asked = time.monotonic()
        self._on_progress(self.evaluations)
        if not self.pause and self._stop_requested():
            self.pause = "a stop was requested"


class GradedCalculator(Calculator):
    """An ASE calculator whose copies share one `GradeSession`, so each image of a path can have a copy."""

    implemented_properties: ClassVar[list[str]] = [  # type: ignore[misc]  # as all calculators of ASE do
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
    ]
    name = "graded"

    def __init__(self, session: GradeSession) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.session = session

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute all results, including `extrapolation_grade`.

        Raises
        ------
        ExtrapolationPause
            As in `GradeSession.evaluate`.
        """
        super().calculate(atoms, list(properties), list(system_changes))  # type: ignore[no-untyped-call]
        assert self.atoms is not None  # ASE passes atoms to calculate
        self.results = self.session.evaluate(self.atoms)

    def __deepcopy__(self, memo: dict[int, Any]) -> GradedCalculator:
        return self.__copy__()

    def __copy__(self) -> GradedCalculator:
        copy = GradedCalculator(self.session)
        copy.atoms = None if self.atoms is None else self.atoms.copy()
        copy.results = dict(self.results)
        return copy
