"""What every potential is from outside, and what a kind of potential offers."""

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
        """Numbers that tell this potential from others: θ and whatever else its rows depend on."""
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
        """Energies and what else is asked for.

        Parameters
        ----------
        structures
        forces
            Also forces and virials.
        gradients
            Also the rows ∂V_i/∂θ of every neighborhood.
        grade_matrix : (m, r), optional
            Also grades: the largest magnitude in each row times this matrix.
        threads
        neighbors
            What `neighbor_memory` gave, kept from call to call of one structure that moves little. The result
            does not depend on it.

        Raises
        ------
        InputError
            If a species is unknown to the potential, a number is not finite, two atoms coincide or a cell has
            no volume.
        """
        ...

    def neighbor_memory(self) -> Any | None:
        """Something that speeds up evaluations along a trajectory, or None."""
        ...

    def parameter_range(self) -> NDArray[np.float64]:
        """Basis (m, r) of the directions of θ that neighborhoods can tell apart; the identity if all are."""
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
        """Endings of the names of its files, such as ``.mtp``; the first is used for writing."""
        ...

    def from_bytes(self, data: bytes, species: Sequence[str] | None, name: str) -> Potential:
        """Undo `Potential.to_bytes`; `name` is what an error calls the data.

        Raises
        ------
        InputError
            If the data are not those of such a potential.
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
        """Fit a potential of this form to labelled structures; `start` makes it a refit.

        Raises
        ------
        InputError
            If there is no structure, one has no label, or a species is unknown.
        """
        ...
