"""Start of a run from a configuration."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.md.velocitydistribution import Stationary, thermalize_momenta

from alflow.errors import InputError
from alflow.simulation.checkpoint import Checkpoint
from alflow.simulation.ramps import value_at
from alflow.simulation.settings import MDSettings


def first_checkpoint(atoms: Atoms, settings: MDSettings) -> Checkpoint:
    """The state at step 0.

    If the configuration has no momenta, they are drawn from the Maxwell–Boltzmann distribution at
    `settings.temperature_K` (the beginning of a ramp), with the centre of mass at rest.

    Raises
    ------
    InputError
        If the configuration cannot be simulated: no atoms, positions that are not finite, constraints other
        than FixAtoms, or a cell that the ensemble cannot scale.
    """
    _check(atoms, settings)
    atoms = atoms.copy()
    random = np.random.Generator(np.random.PCG64(settings.seed))
    if not atoms.get_momenta().any():
        thermalize_momenta(atoms, value_at(settings.temperature_K, 0, settings.steps), rng=random)
        if not atoms.constraints and len(atoms) > 1:
            Stationary(atoms)
    fixed = [constraint.index for constraint in atoms.constraints]
    return Checkpoint(
        step=0,
        numbers=atoms.get_atomic_numbers(),
        masses=atoms.get_masses(),
        fixed=np.unique(np.concatenate(fixed)) if fixed else np.empty(0, dtype=np.int64),
        positions=atoms.get_positions(),
        momenta=atoms.get_momenta(),
        cell=atoms.cell.array.copy(),
        pbc=atoms.get_pbc(),
        cell_momenta=np.empty(0),
        reference_volume_A3=float(atoms.cell.volume),
        random_state=random.bit_generator.state,
    )


def require_structure(atoms: Atoms) -> None:
    """Check that the structure can be simulated.

    Raises
    ------
    InputError
        If there are no atoms, or positions or cell are not finite.
    """
    if len(atoms) == 0:
        raise InputError("the starting structure has no atoms; give one with at least one")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise InputError("the starting structure has positions or a cell that are not finite numbers")


def _check(atoms: Atoms, settings: MDSettings) -> None:
    require_structure(atoms)
    for constraint in atoms.constraints:
        if not isinstance(constraint, FixAtoms):
            kind = type(constraint).__name__
            raise InputError(
                f"the starting structure has a {kind} constraint, but only FixAtoms is supported"
            )
    if settings.ensemble == "npt":
        if not (atoms.pbc.all() and atoms.cell.volume > 0):
            raise InputError(
                "ensemble is 'npt', but the starting structure is not periodic in three directions"
            )
        if atoms.constraints:
            raise InputError(
                "ensemble is 'npt', but the starting structure has fixed atoms; use 'nvt' or free them"
            )
