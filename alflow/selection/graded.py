"""Potentials together with their active sets in one file: MLIP-3's `.almtp`.

MLIP-3's A is square over all m coefficients θ, although rows span a range of r < m dimensions only
(`alflow.potentials.mtp.parameter_range`). The m − r rows that no neighborhood can ever replace remain what
MLIP-3 starts from: 1e-6 at one place of the diagonal. alflow's A is r × r in coordinates of the range.

Written to a file, its rows are given by all coefficients, and m − r such pseudo-rows fill the null
directions, at the places of the diagonal that make A best conditioned. Every row b of a neighborhood lies in
the range, and so do the other rows of A. Hence b's coefficients of these pseudo-rows are zero, the others are
those in the coordinates of the range, and grades are the same. Pseudo-rows of directions of the range that no
training row spans are written as they are, so that their (very large) grades stay too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.files import write_completely
from alflow.potentials import Potential, PotentialCalculator, evaluate, read_potential
from alflow.potentials.mtp import MomentTensorPotential
from alflow.potentials.mtp.almtp_file import (
    PSEUDO_ROW_SIZE,
    SelectionState,
    SelectionWeights,
    neighborhood_equation,
    split_almtp,
    state_from_bytes,
    state_to_bytes,
)
from alflow.potentials.mtp.parameter_range import random_neighborhoods
from alflow.selection.active_set import ActiveSet
from alflow.selection.maxvol import maxvol
from alflow.selection.rows import Mode, rows

SUFFIX = ".almtp"
_ROW_TOLERANCE = 1e-6
_REFINEMENTS = 2


def read_graded(path: str | Path, species: Sequence[str] | None = None) -> tuple[Potential, ActiveSet | None]:
    """Read the file of a potential of any kind, with its active set if the file holds one.

    Parameters
    ----------
    path
        A `.almtp` file of MLIP-3 or alflow; any other file of a potential has no active set.
    species
        Chemical symbols of the types, for files that do not name them.

    Returns
    -------
    potential, active_set
        The `origins` of an active set from a `.almtp` file count the rows of `active_configurations`.

    Raises
    ------
    InputError
        If the file cannot be read or is damaged, or if it selects by forces, stresses, or energies and
        neighborhoods at once, which give no grade of an atom or of a structure.
    """
    potential = read_potential(path, species)
    if Path(path).suffix != SUFFIX or not isinstance(potential, MomentTensorPotential):
        return potential, None
    state = _read_state(Path(path), potential)
    return potential, None if state is None else _active_set(potential, state, str(path))


def graded_calculator(
    path: str | Path, species: Sequence[str] | None = None, *, threads: int = 1
) -> PotentialCalculator:
    """ASE calculator of the file of a potential; with the grades of a `.almtp` file.

    Raises
    ------
    InputError
        As `read_graded` does.
    """
    potential, active_set = read_graded(path, species)
    return PotentialCalculator(potential, active_set=active_set, threads=threads)


def read_active_set(path: str | Path, potential: Potential) -> ActiveSet:
    """The active set of a potential, from a file of its own (.npz) or from a `.almtp` file.

    Raises
    ------
    InputError
        If the file cannot be read, holds no active set or one of another potential.
    """
    if Path(path).suffix != SUFFIX:
        active_set: ActiveSet | None = ActiveSet.load(path)
    else:
        _, active_set = read_graded(path, potential.species)
    if active_set is None:
        raise InputError(f"{path}: holds a potential without an active set")
    active_set.check_belongs_to(potential)
    return active_set


def active_configurations(path: str | Path, species: Sequence[str] | None = None) -> list[Atoms]:
    """The configurations that hold the active rows of a `.almtp` file, with their labels.

    Raises
    ------
    InputError
        As `read_graded` does.
    """
    potential = read_potential(path, species)
    assert isinstance(potential, MomentTensorPotential)
    state = _read_state(Path(path), potential)
    return [] if state is None else state.configurations


def write_graded(
    path: str | Path, potential: Potential, active_set: ActiveSet, training_structures: Sequence[Atoms]
) -> None:
    """Write a `.almtp` file; an existing file is replaced when the new one is complete.

    Raises
    ------
    InputError
        As `almtp_to_bytes` does, or if the file cannot be written.
    """
    write_completely(path, almtp_to_bytes(potential, active_set, training_structures))


def almtp_to_bytes(
    potential: Potential, active_set: ActiveSet, training_structures: Sequence[Atoms]
) -> bytes:
    """The content of a `.almtp` file, which MLIP-3 and LAMMPS read too.

    Parameters
    ----------
    potential, active_set
        A moment tensor potential and its active set.
    training_structures
        The structures that the active set was made from, in this order: those with active rows are written
        with the labels they have.

    Raises
    ------
    InputError
        If the potential is of another kind, or the active set belongs to another potential or to other
        structures.
    """
    if not isinstance(potential, MomentTensorPotential):
        raise InputError(
            f"a potential of kind {potential.kind!r} has no .almtp file; "
            "only moment tensor potentials have one"
        )
    active_set.check_belongs_to(potential)
    atoms_of, frames, matrix = _active_rows(potential, active_set, training_structures)
    order, matrix = _square(potential, matrix)
    links = np.full((len(matrix), 2), -1)
    links[order] = atoms_of
    neighborhoods = active_set.mode == "neighborhood"
    weights = SelectionWeights(
        energy=float(not neighborhoods), force=0.0, stress=0.0, site_energy=float(neighborhoods)
    )
    state = SelectionState(weights, matrix, links, frames)
    return (
        potential.to_bytes().rstrip(b"\n")
        + b"\n"
        + state_to_bytes(state, np.asarray(np.linalg.inv(matrix), dtype=float), potential.species)
    )


def _read_state(path: Path, potential: MomentTensorPotential) -> SelectionState | None:
    _, data = split_almtp(path.read_bytes())
    if not data:
        return None
    return state_from_bytes(data, potential.parameter_count, potential.species, str(path))


def _active_set(potential: MomentTensorPotential, state: SelectionState, name: str) -> ActiveSet:
    mode = _mode(state.weights, name)
    sizes = [len(atoms) if mode == "neighborhood" else 1 for atoms in state.configurations]
    first_rows = np.cumsum([0, *sizes])
    frame, equation = state.links.T
    if mode == "neighborhood":
        counts = np.array([0, *(len(atoms) for atoms in state.configurations)])[frame + 1]
        equation = equation - neighborhood_equation(0, 0) - 3 * counts
    scale = state.weights.energy if mode == "configuration" else 1.0
    origins = np.where(frame < 0, -1, first_rows[frame] + equation)
    basis, kept = _coordinates(potential, state.matrix, frame < 0)
    return ActiveSet(
        mode=mode,
        species=potential.species,
        potential_numbers=potential.identity,
        basis=basis,
        matrix=state.matrix[kept] @ basis / scale,
        origins=origins[kept],
        row_count=int(first_rows[-1]),
    )


def _coordinates(
    potential: MomentTensorPotential, matrix: NDArray[np.float64], pseudo: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A basis for the rows of A, and which of them to keep.

    If all pseudo-rows fill null directions, the other rows can be written in coordinates of the range, which
    are those of alflow's own active sets. Otherwise, or if the active rows then have grades farther from one,
    all coefficients are the coordinates, and A is MLIP-3's. alflow's pseudo-rows within the range are so
    small that only coordinates of the range resolve them.
    """
    everything = np.eye(len(matrix)), np.ones(len(matrix), dtype=bool)
    filled = np.count_nonzero(matrix - np.diag(matrix.diagonal()), axis=1) > 0
    basis = potential.parameter_range()
    if filled.sum() == basis.shape[1] and np.linalg.slogdet(matrix[filled] @ basis)[0]:
        if (filled & pseudo).any():
            return basis, filled
        return min(everything, (basis, filled), key=lambda choice: _error(matrix, *choice))
    return everything


def _error(matrix: NDArray[np.float64], basis: NDArray[np.float64], kept: NDArray[np.bool_]) -> float:
    coordinates = matrix[kept] @ basis
    return float(np.abs(coordinates @ np.linalg.inv(coordinates) - np.eye(len(coordinates))).max())


def _mode(weights: SelectionWeights, name: str) -> Mode:
    """The mode of the weights.

    A neighborhood's row has no weight in MLIP-3. A configuration's row is multiplied by `energy_weight`,
    by which A is divided here, and divided by N to the power of half the `weight_scaling`.
    """
    if weights.force or weights.stress:
        raise InputError(
            f"{name} selects by forces or stresses (force_weight {weights.force:g}, "
            f"stress_weight {weights.stress:g}); alflow grades by neighborhoods or energies only, "
            "so give the training set instead"
        )
    if bool(weights.energy) == bool(weights.site_energy):
        raise InputError(
            f"{name} has energy_weight {weights.energy:g} and site_en_weight {weights.site_energy:g}; "
            "exactly one of them must not be zero"
        )
    if weights.site_energy:
        return "neighborhood"
    if weights.scaling != 2:
        raise InputError(
            f"{name} has weight_scaling {weights.scaling}; with energy_weight, only 2 (rows divided by the "
            "number of atoms) can be graded"
        )
    return "configuration"


def _active_rows(
    potential: MomentTensorPotential, active_set: ActiveSet, structures: Sequence[Atoms]
) -> tuple[NDArray[np.int64], list[Atoms], NDArray[np.float64]]:
    """Links, structures with active rows, and the active rows (r, m) by all coefficients."""
    neighborhoods = active_set.mode == "neighborhood"
    first_rows = np.cumsum([0, *(len(atoms) if neighborhoods else 1 for atoms in structures)])
    if first_rows[-1] != active_set.row_count:
        raise InputError(
            f"the active set was made from {active_set.row_count} rows, but the given structures have "
            f"{first_rows[-1]}; give the structures that it was made from, in the same order"
        )
    origins = active_set.origins
    known = np.flatnonzero(origins >= 0)
    used, position = np.unique(
        np.searchsorted(first_rows, origins[known], side="right") - 1, return_inverse=True
    )
    frames = [structures[index] for index in used.tolist()]
    atom = origins[known] - first_rows[used[position]]
    links = np.full((len(origins), 2), -1)
    links[known, 0] = position
    links[known, 1] = (
        [neighborhood_equation(len(frames[f]), a) for f, a in zip(position, atom, strict=True)]
        if neighborhoods
        else 0
    )
    lengths = [len(frame) if neighborhoods else 1 for frame in frames]
    if len(known) < len(origins):
        full = _lifted(potential, active_set)
    else:
        full = np.empty((len(origins), potential.parameter_count))
    if len(known):
        full[known] = rows(potential, frames, active_set.mode)[np.cumsum([0, *lengths])[position] + atom]
    found, expected = full[known] @ active_set.basis, active_set.matrix[known]
    largest = np.abs(expected).max(initial=0.0)
    if not np.allclose(found, expected, rtol=_ROW_TOLERANCE, atol=_ROW_TOLERANCE * largest):
        raise InputError(
            "the active set does not hold the rows of the given structures; "
            "give the structures that it was made from, in the same order"
        )
    return links, frames, full


def _lifted(potential: MomentTensorPotential, active_set: ActiveSet) -> NDArray[np.float64]:
    """Rows (r, m) of the range whose coordinates are those of the active set."""
    if active_set.basis.shape[0] == active_set.basis.shape[1]:
        return np.asarray(active_set.matrix @ np.linalg.inv(active_set.basis))
    sample = _sample(potential)
    sample /= np.linalg.norm(sample @ active_set.basis, axis=1, keepdims=True)
    lift = np.linalg.pinv(sample @ active_set.basis) @ sample
    lifted = active_set.matrix @ lift
    for _ in range(_REFINEMENTS):
        lifted += (active_set.matrix - lifted @ active_set.basis) @ lift
    return np.asarray(lifted)


def _square(
    potential: MomentTensorPotential, active: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Places of the active rows in A, and A (m, m) with pseudo-rows for the null directions."""
    count, size = active.shape
    if count == size:
        return np.arange(size), active
    sample = _sample(potential)
    scales = np.abs(sample).max(axis=0)
    scaled = sample / np.where(scales > 0, scales, 1.0)
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
    null = np.linalg.svd(scaled)[2][count:].T
    places = np.setdiff1d(np.arange(size), maxvol(null).indices)
    matrix = PSEUDO_ROW_SIZE * np.eye(size)
    matrix[places] = active
    return places, matrix


def _sample(potential: MomentTensorPotential) -> NDArray[np.float64]:
    """Rows of random neighborhoods, which span the range."""
    clusters = random_neighborhoods(potential, 2 * potential.parameter_count)
    gradients = evaluate(potential, clusters, forces=False, gradients=True).gradients
    assert gradients is not None
    return gradients
