"""EMT with an extrapolation grade that a test chooses, and a count of its evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT

Grade = Callable[[Atoms], float]


class GradedEMT(EMT):
    """Computed afresh at each evaluation, so that its sums do not depend on what was computed before."""

    def __init__(self, grade: Grade = lambda atoms: 1.0) -> None:
        super().__init__()
        self.grade = grade
        self.evaluations = 0

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = (), system_changes: Sequence[str] = ()
    ) -> None:
        super().calculate(atoms, list(properties), all_changes)
        assert self.atoms is not None
        self.results["extrapolation_grade"] = self.grade(self.atoms)
        self.evaluations += 1
