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
    """Labels of one structure.

    Attributes
    ----------
    energy : float
        Energy, eV.
    forces : (N, 3)
        Forces, eV/Å.
    virial : (6,) or None
        Stress times volume, eV, ASE's sign and order.
    weight : float
        Weight of this structure in the fit.
    """

    energy: float
    forces: NDArray[np.float64]
    virial: NDArray[np.float64] | None
    weight: float


def labels_of(atoms: Atoms) -> Labels:
    """Labels from the structure's calculator.

    If energy and free energy are both known, the free energy is taken: the forces are its gradient.

    Raises
    ------
    InputError
        If energy or forces are missing or not finite, or the weight is not a non-negative number.
    """
    if atoms.calc is None:
        raise InputError(f"the structure {atoms.get_chemical_formula()} has no energy and forces to fit to")
    results = getattr(atoms.calc, "results", {})
    energy = label_energy(results)
    forces = results.get("forces")
    if energy is None or forces is None:
        try:
            energy, forces = atoms.get_potential_energy(), atoms.get_forces(apply_constraint=False)
        except PropertyNotImplementedError:
            raise InputError(
                f"the structure {atoms.get_chemical_formula()} has no energy or no forces to fit to"
            ) from None
    stress = results.get("stress")
    virial = None if stress is None or not atoms.pbc.all() else np.asarray(stress) * atoms.get_volume()
    weight = atoms.info.get("weight", 1.0)
    for name, value in (("energy", energy), ("forces", forces), ("stress", virial), ("weight", weight)):
        if value is not None and not np.isfinite(value).all():
            raise InputError(f"the {name} of the structure {atoms.get_chemical_formula()} is not finite")
    if weight < 0:
        raise InputError(
            f"the weight of the structure {atoms.get_chemical_formula()} is {weight}; it must not be negative"
        )
    return Labels(float(energy), np.asarray(forces, dtype=float), virial, float(weight))
