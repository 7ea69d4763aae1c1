"""A potential's predictions beside the labels of structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.potentials.evaluation import evaluate
from alflow.potentials.labels import Labels, labels_of

if TYPE_CHECKING:
    from alflow.potentials.protocol import Potential


@dataclass(frozen=True)
class Prediction:
    """One labelled structure and what a potential predicts for it.

    Attributes
    ----------
    atoms
    labels
    energy : float
        Energy, eV.
    forces : (N, 3)
        Forces, eV/Å.
    virial : (6,)
        Stress times volume, eV, ASE's sign and order.
    """

    atoms: Atoms
    labels: Labels
    energy: float
    forces: NDArray[np.float64]
    virial: NDArray[np.float64]

    @property
    def labelled_stress(self) -> NDArray[np.float64] | None:
        """Stress of the label (6,), eV/Å³; None if it is unknown."""
        return None if self.labels.virial is None else self.labels.virial / self.atoms.get_volume()

    @property
    def stress(self) -> NDArray[np.float64] | None:
        """Predicted stress (6,), eV/Å³; None unless the structure is periodic in all directions."""
        return self.virial / self.atoms.get_volume() if self.atoms.pbc.all() else None


def predict(potential: Potential, structures: Sequence[Atoms], *, threads: int = 1) -> list[Prediction]:
    """Predict labelled structures.

    Raises
    ------
    InputError
        If a structure has no label or the potential lacks a species.
    """
    labels = [labels_of(atoms) for atoms in structures]
    evaluation = evaluate(potential, structures, threads=threads)
    assert evaluation.forces is not None
    return [
        Prediction(atoms, label, float(energy), evaluation.forces[part], virial)
        for atoms, label, energy, part, virial in zip(
            structures, labels, evaluation.energy, evaluation.slices(), evaluation.voigt_virials, strict=True
        )
    ]
