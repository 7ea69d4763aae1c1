"""What a simulation asks of its calculator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from ase import Atoms

from alflow.errors import InputError
from alflow.simulation.settings import GradeControl


class ForceCalculator(Protocol):
    """An ASE calculator (or a plain object with its methods) that keeps its results."""

    @property
    def implemented_properties(self) -> Sequence[str]: ...
    @property
    def results(self) -> Mapping[str, Any]: ...


class GradingCalculator(ForceCalculator, Protocol):
    """A calculator that leaves out the work of the extrapolation grade while `grades_wanted` is false.

    Its results have no grade then. Where a grade is wanted and the results have none, an unchanged structure
    is computed again.
    """

    grades_wanted: bool

    def calculate(self, atoms: Atoms) -> None:
        """Compute all results of `atoms`."""


def want_grades(calculator: ForceCalculator, wanted: bool) -> None:
    """Tell a calculator whether grades are wanted; one that always gives them, or never, does as it does."""
    if hasattr(calculator, "grades_wanted"):
        cast(GradingCalculator, calculator).grades_wanted = wanted


def grade_after_all(atoms: Atoms) -> float:
    """The grade of the structure of the results, although it may not have been wanted."""
    if "extrapolation_grade" not in atoms.calc.results:
        want_grades(atoms.calc, True)
        atoms.calc.calculate(atoms)
    return float(atoms.calc.results["extrapolation_grade"])


def require_results(calculator: ForceCalculator, control: GradeControl | None) -> None:
    """Check, after a first force call, that energy and, for control, grades are there.

    Raises
    ------
    InputError
        If they are not.
    """
    for name in ["energy"] + ["extrapolation_grade"] * (control is not None):
        if name not in calculator.results:
            kind = type(calculator).__name__
            raise InputError(f"the calculator {kind} gives no {name} with its forces, but the run needs it")


def require_stress(calculator: ForceCalculator, purpose: str) -> None:
    """Check that the calculator can tell the stress.

    Raises
    ------
    InputError
        If it cannot.
    """
    if "stress" not in calculator.implemented_properties:
        raise InputError(f"{purpose}, but the calculator {type(calculator).__name__} gives no stress")
