"""Quantum-mechanical labels of a structure, in the form that the fit needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.structures.label_energy import label_energy


@dataclass(frozen=True)
class Labels:
    """Labels of one structure; each of them may be unknown.

    Attributes
    ----------
    atoms : int
        Number of atoms N.
    energy : float or None
        Energy, eV.
    forces : (N, 3) or None
        Forces, eV/Å.
    virial : (6,) or None
        Stress times volume, eV, ASE's sign and order.
    weight : float
        Weight of this structure in the fit.
    """

    atoms: int
    energy: float | None
    forces: NDArray[np.float64] | None
    virial: NDArray[np.float64] | None
    weight: float


def labels_of(atoms: Atoms) -> Labels:
    """Labels from the structure's calculator.

    If energy and free energy are both known, the free energy is taken: the forces are its gradient.

    Raises
    ------
    InputError
        If energy and forces are both missing, a label is not finite, or the weight is not a non-negative
        number.
    """
    formula = atoms.get_chemical_formula()
    if atoms.calc is None:
        raise InputError(f"the structure {formula} has no energy and no forces to fit to")
    results = getattr(atoms.calc, "results", {})
    energy = label_energy(results)
    forces = results.get("forces")
    if energy is None and forces is None:
        try:
            energy, forces = atoms.get_potential_energy(), atoms.get_forces(apply_constraint=False)
        except PropertyNotImplementedError:
            raise InputError(f"the structure {formula} has no energy and no forces to fit to") from None
    stress = results.get("stress")
    virial = None if stress is None or not atoms.pbc.all() else np.asarray(stress) * atoms.get_volume()
    for name, value in (("energy", energy), ("forces", forces), ("stress", virial)):
        if value is not None and not np.isfinite(value).all():
            raise InputError(f"the {name} of the structure {formula} is not finite")
    weight = np.asarray(atoms.info.get("weight", 1.0))
    if weight.shape != () or weight.dtype.kind not in "iuf" or not 0 <= weight < np.inf:
        raise InputError(
            f"the weight of the structure {formula} is {atoms.info['weight']}; it must be one number that is "
            "not negative"
        )
    return Labels(
        atoms=len(atoms),
        energy=None if energy is None else float(energy),
        forces=None if forces is None else np.asarray(forces, dtype=float),
        virial=virial,
        weight=float(weight),
    )
