"""What a simulation asks of its calculator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from alflow.errors import InputError
from alflow.simulation.settings import GradeControl


class ForceCalculator(Protocol):
    """An ASE calculator (or a plain object with its methods) that keeps its results."""

    @property
    def implemented_properties(self) -> Sequence[str]: ...
    @property
    def results(self) -> Mapping[str, Any]: ...


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
