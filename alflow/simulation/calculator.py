"""Requirements of a simulation on its calculator."""

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
    """A calculator that does not compute the extrapolation grade while `grades_wanted` is false.

    Its results then have no grade. If a grade is wanted and the results have none, the calculator computes
    an unchanged structure again.
    """

    grades_wanted: bool

    def calculate(self, atoms: Atoms) -> None:
        """Compute all results of `atoms`."""


def want_grades(calculator: ForceCalculator, wanted: bool) -> None:
    """Tell a calculator whether grades are wanted; one that cannot switch grades is left as it is."""
    if hasattr(calculator, "grades_wanted"):
        cast(GradingCalculator, calculator).grades_wanted = wanted


def grade_after_all(atoms: Atoms) -> float:
    """Grade of the calculator's structure; it is computed now if the results lack it."""
    if "extrapolation_grade" not in atoms.calc.results:
        want_grades(atoms.calc, True)
        atoms.calc.calculate(atoms)
    return float(atoms.calc.results["extrapolation_grade"])


def require_results(calculator: ForceCalculator, control: GradeControl | None) -> None:
    """Check, after a first force call, that the results hold the energy and, under control, a grade.

    Raises
    ------
    InputError
        If one of them is missing.
    """
    for name in ["energy"] + ["extrapolation_grade"] * (control is not None):
        if name not in calculator.results:
            kind = type(calculator).__name__
            raise InputError(f"the calculator {kind} gives no {name} with its forces, but the run needs it")


def require_stress(calculator: ForceCalculator, purpose: str) -> None:
    """Check that the calculator can compute the stress.

    Raises
    ------
    InputError
        If it cannot.
    """
    if "stress" not in calculator.implemented_properties:
        raise InputError(f"{purpose}, but the calculator {type(calculator).__name__} gives no stress")
