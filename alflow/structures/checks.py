"""Checks of a structure and its labels; a complaint is the rest of a sentence that begins with the frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.cell import Cell
from ase.geometry import get_distances
from scipy.spatial import cKDTree

from alflow.errors import InputError
from alflow.structures.label_energy import label_energy
from alflow.structures.occupancies import disorder

# A number outside these limits is in other units (nm, pm, GPa, meV) rather than unusual physics.
MIN_DISTANCE_A = 0.3
SPARSE_SPACING_A = 15.0
MAX_FORCE_EV_A = 1e3
MAX_STRESS_EV_A3 = 20.0
MAX_ENERGY_SPREAD_EV_PER_ATOM = 100.0
FLAT_CELL_A = 1e-3


def complaint(atoms: Atoms, species: Sequence[str] | None, labelled: bool) -> str | None:
    """The first fault of a structure, or None.

    Parameters
    ----------
    species
        The chemical symbols that may occur; None allows any element.
    labelled
        Whether the structure must have an energy or forces.
    """
    return (
        _wrong_elements(atoms, species)
        or _wrong_geometry(atoms)
        or disorder(atoms)
        or _wrong_distances(atoms)
        or _wrong_results(atoms)
        or ((_missing_labels(atoms) or _wrong_weight(atoms)) if labelled else None)
    )


def check_ids(path: Path, structures: Sequence[Atoms]) -> None:
    """Raise `InputError` if two frames have the same `info["id"]`."""
    seen: dict[str, int] = {}
    for number, atoms in enumerate(structures, start=1):
        name = str(atoms.info.get("id", f"frame {number}"))
        if name in seen:
            raise InputError(
                f"{path}: frames {seen[name]} and {number} have the same id '{name}'; ids must differ"
            )
        seen[name] = number


def energies_out_of_line(structures: Sequence[Atoms]) -> dict[int, str]:
    """Index → complaint of each energy per atom that is further from its composition's than bonds reach."""
    groups: dict[str, list[tuple[int, float]]] = {}
    for index, atoms in enumerate(structures):
        energy_eV = label_energy(atoms.calc.results) if atoms.calc is not None else None
        if energy_eV is not None:
            formula = atoms.symbols.formula.reduce()[0].format("hill")
            groups.setdefault(formula, []).append((index, energy_eV / len(atoms)))
    found = {}
    for members in groups.values():
        median = float(np.median([energy for _, energy in members]))
        for index, energy in members:
            if abs(energy - median) > MAX_ENERGY_SPREAD_EV_PER_ATOM:
                found[index] = (
                    f"has an energy of {energy:.4g} eV per atom where the median of like frames is "
                    f"{median:.4g}; energies are totals in eV with one reference"
                )
    return found


def _wrong_elements(atoms: Atoms, species: Sequence[str] | None) -> str | None:
    if len(atoms) == 0:
        return "has no atoms"
    present = sorted(set(atoms.get_chemical_symbols()))
    strange = [symbol for symbol in present if symbol == "X" or (species and symbol not in species)]
    if not strange:
        return None
    right = f"the species are {', '.join(species)}" if species else "give chemical symbols such as Cu"
    return f"has atoms of {', '.join(strange)}; {right}"


def _wrong_geometry(atoms: Atoms) -> str | None:
    if not np.isfinite(atoms.positions).all():
        atom = int(np.argwhere(~np.isfinite(atoms.positions))[0, 0])
        return (
            f"has the position {atoms.positions[atom].tolist()} for atom {atom}; positions are numbers in Å"
        )
    if not np.isfinite(atoms.cell[:]).all():
        return "has a cell that is not finite; its vectors are numbers in Å"
    if atoms.pbc.any():
        lengths = atoms.cell.lengths()[atoms.pbc]
        with np.errstate(invalid="ignore"):  # parallel vectors and an open direction give nan
            flat = not _least_height(atoms.cell.complete()) >= FLAT_CELL_A
        if lengths.min() < FLAT_CELL_A or flat:
            cell = " ".join(f"{value:.4g}" for value in atoms.cell.cellpar())
            return f"is periodic with a flat cell (lengths and angles {cell}); its volume must not be zero"
    return None


def _least_height(cell: Cell) -> float:
    """The smallest distance in Å between opposite faces of a cell."""
    faces = np.linalg.norm(np.cross(cell.array[[1, 2, 0]], cell.array[[2, 0, 1]]), axis=1)
    return float(np.min(cell.volume / np.maximum(faces, FLAT_CELL_A**2)))


def _wrong_distances(atoms: Atoms) -> str | None:
    points, owners = _with_images(atoms, MIN_DISTANCE_A)
    pairs = cKDTree(points).query_pairs(MIN_DISTANCE_A, output_type="ndarray")
    if len(pairs):
        distances = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
        first, second = owners[pairs[np.argmin(distances)]]
        return (
            f"has atoms {first} and {second} {distances.min():.3g} Å apart; "
            f"they must be at least {MIN_DISTANCE_A} Å apart (one site twice, or are the lengths in nm?)"
        )
    if len(atoms) > 1 and (nearest_A := _sparse_spacing(atoms)) > SPARSE_SPACING_A:
        return f"has no two atoms within {nearest_A:.3g} Å; lengths are in Å (are these in pm?)"
    return None


def _with_images(atoms: Atoms, margin_A: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the atoms and of their nearest images within a margin of the cell, and their atoms."""
    cell = atoms.cell.complete()
    fractions = cell.scaled_positions(atoms.positions)
    fractions[:, atoms.pbc] %= 1.0
    owners = np.arange(len(atoms))
    for axis in np.flatnonzero(atoms.pbc):
        margin = min(margin_A * float(np.linalg.norm(cell.reciprocal()[axis])), 1.0)
        below, above = fractions[:, axis] < margin, fractions[:, axis] > 1.0 - margin
        step = np.eye(3)[axis]
        fractions = np.vstack([fractions, fractions[below] + step, fractions[above] - step])
        owners = np.concatenate([owners, owners[below], owners[above]])
    return fractions @ cell[:], owners


def _sparse_spacing(atoms: Atoms) -> float:
    """Shortest distance in Å between two atoms if few atoms fill a large volume, else zero."""
    if atoms.pbc.all() and (atoms.get_volume() / len(atoms)) ** (1 / 3) < SPARSE_SPACING_A / 2:
        return 0.0
    # The distances of some atoms to all others include a short one, unless all atoms are far apart.
    _, distances = get_distances(atoms.positions[:100], atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    np.fill_diagonal(distances, np.inf)
    return float(distances.min())


def _wrong_results(atoms: Atoms) -> str | None:
    results = atoms.calc.results if atoms.calc is not None else {}
    for name, shape, unit, limit in (
        ("energy", (), "eV", np.inf),
        ("free_energy", (), "eV", np.inf),
        ("forces", (len(atoms), 3), "eV/Å", MAX_FORCE_EV_A),
        ("stress", (6,), "eV/Å³", MAX_STRESS_EV_A3),
    ):
        if name not in results:
            continue
        try:
            values = np.asarray(results[name], dtype=float)
        except (ValueError, TypeError):
            return f"has {name} '{results[name]}'; it takes numbers in {unit}"
        if values.shape != shape:
            return f"has {name} of shape {values.shape}; it must be {shape}"
        if not np.isfinite(values).all():
            return f"has {name} that is not finite; it takes numbers in {unit}"
        if (largest := np.abs(values).max(initial=0.0)) > limit:
            return f"has {name} up to {largest:.4g}; in {unit} it is below {limit:g} (other units?)"
    return None


def _missing_labels(atoms: Atoms) -> str | None:
    results = atoms.calc.results if atoms.calc is not None else {}
    if "energy" in results or "forces" in results:
        return None
    keys = sorted({*results, *atoms.info, *atoms.arrays} - {"numbers", "positions"})
    return (
        f"has no energy and no forces; labelled structures need `energy` or `forces`, or --keys that names "
        f"them (it has {', '.join(keys) or 'no other keys'})"
    )


def _wrong_weight(atoms: Atoms) -> str | None:
    weight = np.asarray(atoms.info.get("weight", 1.0))
    if weight.shape == () and weight.dtype.kind in "iuf" and 0 <= weight < np.inf:
        return None
    return f"has the weight '{atoms.info['weight']}'; a weight is one number that is not negative"
