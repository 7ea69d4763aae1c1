"""The text of a structure in MLIP's `.cfg` format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from alflow.errors import InputError
from alflow.structures.cfg_names import (
    GHOST_COLUMN,
    GHOST_KEY,
    GRADES_COLUMN,
    GRADES_KEY,
    OTHER_COLUMNS,
    PLUS_STRESS_KEY,
    STRESS_ORDER,
    feature_of_key,
)
from alflow.structures.label_energy import label_energy

Row = Callable[[Sequence[float] | np.ndarray], str]


def cfg_text(atoms: Atoms, species: Sequence[str], *, lossless: bool = False) -> str:
    """The block BEGIN_CFG … END_CFG of a structure, with all results that its calculator holds.

    Parameters
    ----------
    atoms
        Energy in eV, forces in eV/Å, stress in eV/Å³ (ASE sign). The energy is the one that the forces belong
        to (`label_energy`). A number or text in `info` becomes a Feature; text of several lines becomes
        several Features of one name, as MLIP-3 writes it. The vector of an open direction is written as
        zeros, which is how MLIP marks one.
    species
        Chemical symbols in the order of the potential; their indices are the types.
    lossless
        Whether to write numbers with 17 significant digits, as MLIP-3 does for active sets, instead of 12
        decimals.

    Raises
    ------
    InputError
        If the structure holds an element that is not among the species.
    """
    row: Row = _exact_row if lossless else _fixed_row
    results = atoms.calc.results if atoms.calc is not None else {}
    lines = ["BEGIN_CFG", " Size", f"{len(atoms):6d}"]
    if atoms.pbc.any():
        vectors = np.where(atoms.pbc[:, np.newaxis], atoms.cell.array, 0.0)
        lines += [" Supercell", *map(row, vectors[: np.flatnonzero(atoms.pbc)[-1] + 1])]
    lines += _atom_data_lines(atoms, species, results.get("forces"), row)
    if (energy := label_energy(results)) is not None:
        lines += [" Energy", row([energy])]
    if (plus_stress := _plus_stress(atoms, results)) is not None:
        lines += [" PlusStress:" + "".join(f"{name:>20s}" for name in STRESS_ORDER), row(plus_stress)]
    for key, value in atoms.info.items():
        lines += _feature_lines(key, value)
    return "\n".join([*lines, "END_CFG", ""])


def _atom_data_lines(
    atoms: Atoms, species: Sequence[str], forces: np.ndarray | None, row: Row
) -> Iterator[str]:
    types = {symbol: index for index, symbol in enumerate(species)}
    unknown = sorted(set(atoms.get_chemical_symbols()) - set(types))
    if unknown:
        raise InputError(
            f"species: {', '.join(unknown)} is in the structures but not among {', '.join(species)}"
        )
    columns = dict(zip(("cartes_x", "cartes_y", "cartes_z"), atoms.positions.T, strict=True))
    if forces is not None:
        columns |= zip(("fx", "fy", "fz"), np.reshape(forces, (len(atoms), 3)).T, strict=True)
    columns |= {name: atoms.arrays[name] for name in OTHER_COLUMNS if name in atoms.arrays}
    if GRADES_KEY in atoms.arrays:
        columns[GRADES_COLUMN] = atoms.arrays[GRADES_KEY].reshape(-1)
    ghosts = atoms.arrays.get(GHOST_KEY)
    names = [*columns, *([] if ghosts is None else [GHOST_COLUMN])]
    yield " AtomData:  id type" + "".join(f"{name:>20s}" for name in names)
    for index, (symbol, values) in enumerate(
        zip(atoms.get_chemical_symbols(), np.column_stack(list(columns.values())), strict=True)
    ):
        ghost = "" if ghosts is None else f"  {'true' if ghosts[index] else 'false'}"
        yield f"{index + 1:12d} {types[symbol]:4d}{row(values)}{ghost}"


def _plus_stress(atoms: Atoms, results: Mapping[str, Any]) -> np.ndarray | None:
    """−stress × volume, eV, in the order of `STRESS_ORDER`."""
    stress = results.get("stress")
    if stress is not None and atoms.cell.rank == 3:
        return np.asarray(-np.asarray(stress) * atoms.get_volume())
    kept = np.asarray(atoms.info.get(PLUS_STRESS_KEY, ()))
    return kept if kept.shape == (6,) else None


def _feature_lines(key: str, value: Any) -> list[str]:
    if not isinstance(value, str | int | float | np.number | np.bool_) or not str(value).strip():
        return []
    text = repr(value.item()) if isinstance(value, np.generic) else str(value)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [f" Feature   {feature_of_key(key)}\t{line}" for line in lines]


def _fixed_row(values: Sequence[float] | np.ndarray) -> str:
    # Numbers are fixed-point, because some readers of this format do not know exponents.
    return "".join(f" {value:19.12f}" for value in values)


def _exact_row(values: Sequence[float] | np.ndarray) -> str:
    return "".join(f" {value:.16e}" for value in values)
