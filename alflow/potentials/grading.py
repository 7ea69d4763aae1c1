"""Evaluation together with extrapolation grades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.potentials.evaluation import Evaluation, evaluate
from alflow.potentials.flat_structures import FlatStructures

if TYPE_CHECKING:
    from alflow.potentials.protocol import Potential


class Grader(Protocol):
    """Interface of an active set."""

    @property
    def mode(self) -> str:
        """`configuration` or `neighborhood`."""

    @property
    def grade_matrix(self) -> NDArray[np.float64]:
        """(m, r): γ is the largest magnitude in `row @ grade_matrix`."""

    def check_belongs_to(self, potential: Potential) -> None:
        """Raise `InputError` if its rows belong to another potential."""

    def grades(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """γ of rows (n, m) of derivatives with respect to the parameters, shape (n,)."""


def evaluate_graded(
    potential: Potential,
    structures: Sequence[Atoms] | FlatStructures,
    grader: Grader,
    *,
    threads: int = 1,
    neighbors: Any | None = None,
) -> tuple[Evaluation, NDArray[np.float64]]:
    """Evaluate structures, none of them empty, and compute the grade of each, (structures,).

    In mode neighborhood this is the largest grade of its atoms; `evaluation.grades` holds those of all atoms.

    Raises
    ------
    InputError
        As in `evaluate`.
    """
    if grader.mode == "neighborhood":
        evaluation = evaluate(
            potential,
            structures,
            grade_matrix=grader.grade_matrix,
            threads=threads,
            neighbors=neighbors,
        )
        assert evaluation.grades is not None
        return evaluation, np.maximum.reduceat(evaluation.grades, evaluation.offsets[:-1])
    evaluation = evaluate(potential, structures, gradients=True, threads=threads, neighbors=neighbors)
    assert evaluation.gradients is not None
    sums = np.add.reduceat(evaluation.gradients, evaluation.offsets[:-1], axis=0)
    return evaluation, grader.grades(sums / np.diff(evaluation.offsets)[:, None])
