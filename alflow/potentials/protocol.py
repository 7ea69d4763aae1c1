"""Interfaces of a potential and of a kind of potential."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.potentials.errors import Errors
from alflow.potentials.evaluation import Evaluation
from alflow.potentials.fit_settings import FitSettings
from alflow.potentials.flat_structures import FlatStructures
from alflow.potentials.settings import PotentialSettings


class Potential(Protocol):
    """A sum of energies of neighborhoods, E = Σ_i V(n_i; θ), with derivatives with respect to θ."""

    @property
    def kind(self) -> str:
        """Name of the kind, such as ``mtp``."""
        ...

    @property
    def species(self) -> tuple[str, ...]:
        """Chemical symbols that the potential knows."""
        ...

    @property
    def parameters(self) -> NDArray[np.float64]:
        """θ, shape (m,)."""
        ...

    @property
    def identity(self) -> NDArray[np.float64]:
        """Numbers that distinguish this potential from others: θ and all else that its rows depend on."""
        ...

    def evaluate(
        self,
        structures: FlatStructures,
        *,
        forces: bool = True,
        gradients: bool = False,
        grade_matrix: NDArray[np.float64] | None = None,
        threads: int = 1,
        neighbors: Any | None = None,
    ) -> Evaluation:
        """Compute energies and, on request, their derivatives and grades.

        Parameters
        ----------
        structures
            Structures as flat arrays.
        forces
            Whether to compute forces and virials.
        gradients
            Whether to compute the rows ∂V_i/∂θ of every neighborhood.
        grade_matrix : (m, r), optional
            If given, grades are computed: the largest magnitude in each row times this matrix.
        threads
            Threads of the evaluation.
        neighbors
            Result of `neighbor_memory`, reused in calls for one structure that moves little. The result does
            not depend on it.

        Raises
        ------
        InputError
            If a species is unknown to the potential, a number is not finite, two atoms coincide or a cell has
            no volume.
        """
        ...

    def neighbor_memory(self) -> Any | None:
        """An object that speeds up evaluations along a trajectory, such as a neighbor list, or None."""
        ...

    def parameter_range(self) -> NDArray[np.float64]:
        """Basis (m, r) of the directions of θ that neighborhoods can tell apart; the identity if all."""
        ...

    def to_bytes(self) -> bytes:
        """The content of the potential's file."""
        ...


@dataclass(frozen=True)
class FitResult:
    """A fitted potential and its errors.

    Attributes
    ----------
    potential
        The fitted potential.
    train
        Errors on the structures of the fit.
    loss
        Weighted sum of squares at the end.
    """

    potential: Any
    train: Errors
    loss: float


class PotentialKind(Protocol):
    """A kind of potential: its settings, its file, its fit."""

    Settings: type[PotentialSettings]

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of its files, such as ``.mtp``; files are written with the first one."""
        ...

    def from_bytes(self, data: bytes, species: Sequence[str] | None, name: str) -> Potential:
        """Inverse of `Potential.to_bytes`; error messages call the data `name`.

        Raises
        ------
        InputError
            If the data do not hold a potential of this kind.
        """
        ...

    def fit(
        self,
        structures: Sequence[Atoms],
        *,
        species: Sequence[str],
        form: Any,
        settings: FitSettings,
        start: Any | None = None,
        threads: int = 1,
        progress: Callable[[Any], None] | None = None,
    ) -> FitResult:
        """Fit a potential of this form to labelled structures; a given `start` makes the fit a refit.

        Raises
        ------
        InputError
            If there is no structure, a structure has no label, or a species is unknown.
        """
        ...
