"""Rows of derivatives with respect to the parameters, from which extrapolation grades are computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.potentials import Evaluation, Potential, evaluate

Mode = Literal["neighborhood", "configuration"]


def rows(
    potential: Potential, structures: Sequence[Atoms], mode: Mode = "neighborhood"
) -> NDArray[np.float64]:
    """Derivatives of energies with respect to all parameters θ.

    Parameters
    ----------
    potential : Potential
        Potential whose energies are differentiated.
    structures : sequence of ase.Atoms
        Structures to evaluate.
    mode : {"neighborhood", "configuration"}
        Whether a row belongs to an atom or to a structure.

    Returns
    -------
    (n, m) array
        Mode "neighborhood": ∂V_i/∂θ of every atom, structure after structure. Mode "configuration": ∂E/∂θ / N
        of every structure.

    Raises
    ------
    InputError
        If the mode is unknown or a structure cannot be evaluated.
    """
    check_mode(mode)
    return rows_of(evaluate(potential, structures, forces=False, gradients=True), mode)


def rows_of(evaluation: Evaluation, mode: Mode) -> NDArray[np.float64]:
    """Rows of an evaluation with gradients, as `rows` gives them."""
    assert evaluation.gradients is not None
    if mode == "neighborhood":
        return evaluation.gradients
    means = [evaluation.gradients[atoms].mean(axis=0) for atoms in evaluation.slices()]
    return np.array(means).reshape(-1, evaluation.gradients.shape[1])


def check_mode(mode: str) -> None:
    """Check that the mode is known.

    Raises
    ------
    InputError
        If it is not.
    """
    if mode not in ("neighborhood", "configuration"):
        raise InputError(f'mode is {mode!r}; it must be "neighborhood" or "configuration"')
