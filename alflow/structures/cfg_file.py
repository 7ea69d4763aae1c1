"""MLIP `.cfg` files: configurations with energy, forces and PlusStress, types as indices into the species.

The format is the one MLIP-2 and MLIP-3 share (Novikov et al. 2021, doi 10.1088/2632-2153/abc9fe).
`PlusStress` is −stress × volume in eV, in the order xx yy zz yz xz xy, which is ASE's Voigt order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from alflow.errors import InputError

_STRESS_ORDER = ("xx", "yy", "zz", "yz", "xz", "xy")
_GRADE_FEATURE, _GRADE_KEY = "MV_grade", "extrapolation_grade"
_RowFormat = Callable[[Sequence[float] | np.ndarray], str]
_GRADES_COLUMN, _GRADES_KEY = "nbh_grades", "extrapolation_grades"


def read_cfg(path: str | Path, species: Sequence[str]) -> list[Atoms]:
    """Read every configuration of an MLIP `.cfg` file.

    Parameters
    ----------
    path
        The file.
    species
        Chemical symbols; the types in the file are indices into them.

    Returns
    -------
    list of Atoms
        Structures, with a `SinglePointCalculator` if the file gives an energy, forces or PlusStress. Features
        go to `info` (`MV_grade` as `extrapolation_grade`), neighborhood grades to
        `arrays["extrapolation_grades"]`. The vectors of `Supercell` (none to three) are the periodic
        directions; a stress needs all three for its volume.

    Raises
    ------
    InputError
        If the file is not an MLIP file, is cut off or contradicts itself, or has a type beyond the species.
    """
    return cfg_from_text(Path(path).read_text(encoding="utf-8", errors="replace"), species, path)


def cfg_from_text(text: str, species: Sequence[str], path: str | Path) -> list[Atoms]:
    """Read every configuration of the text of a `.cfg` file, as `read_cfg` does; messages name `path`."""
    blocks = _blocks(text, path)
    return [
        _FrameReader(lines, f"{path}: frame {number} of {len(blocks)}", species).read()
        for number, lines in enumerate(blocks, start=1)
    ]


def write_cfg(path: str | Path, structures: Sequence[Atoms], species: Sequence[str]) -> None:
    """Write configurations as an MLIP `.cfg` file, with all results that their calculators hold.

    Parameters
    ----------
    path
        The file; an existing one is replaced.
    structures
        Energies in eV, forces in eV/Å, stresses in eV/Å³ (ASE sign). A number or text in `info` becomes a
        Feature.
    species
        Chemical symbols in the order of the potential; their indices are the types.

    Raises
    ------
    InputError
        If a structure holds an element that is not among the species.
    """
    Path(path).write_text(cfg_to_text(structures, species), encoding="utf-8")


def cfg_to_text(structures: Sequence[Atoms], species: Sequence[str], *, lossless: bool = False) -> str:
    """The text of a `.cfg` file as `write_cfg` writes it; `lossless` keeps every bit of every number."""
    row = _exact_row if lossless else _row
    return "\n".join(_frame_text(atoms, species, row) for atoms in structures)


def _blocks(text: str, path: str | Path) -> list[list[str]]:
    """Split a file into the lines between each BEGIN_CFG and its END_CFG."""
    blocks: list[list[str]] = []
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.strip()
        if word == "BEGIN_CFG" and not inside:
            blocks.append([])
            inside = True
        elif word == "END_CFG" and inside:
            inside = False
        elif inside and word != "BEGIN_CFG":
            blocks[-1].append(word)
        elif word:
            raise InputError(
                f"{path}: line {number} reads '{word[:60]}' where BEGIN_CFG or END_CFG belongs; "
                "an MLIP .cfg file holds blocks BEGIN_CFG … END_CFG"
            )
    if inside:
        raise InputError(f"{path}: frame {len(blocks)} is cut off, its END_CFG is missing")
    return blocks


class _FrameReader:
    """Reader of the lines of one block; every error message begins with the position in the file."""

    def __init__(self, lines: list[str], where: str, species: Sequence[str]) -> None:
        self.lines = [line for line in lines if line]
        self.where = where
        self.species = species
        self.size = 0
        self.cell = np.zeros((0, 3))
        self.columns: dict[str, np.ndarray] = {}
        self.results: dict[str, Any] = {}
        self.plus_stress: np.ndarray | None = None
        self.info: dict[str, Any] = {}

    def read(self) -> Atoms:
        while self.lines:
            keyword, *rest = self._next("a keyword").split()
            match keyword.rstrip(":").lower():
                case "size":
                    self.size = int(self._numbers("Size", 1)[0])
                case "supercell":
                    self.cell = np.array(list(self._cell_vectors())).reshape(-1, 3)
                case "atomdata":
                    self._read_atom_data(rest)
                case "energy":
                    self.results["energy"] = float(self._numbers("Energy", 1)[0])
                case "plusstress":
                    self._read_plus_stress(rest)
                case "feature":
                    self._read_feature(rest)
                case _:
                    raise InputError(f"{self.where} has an unknown keyword '{keyword}'")
        return self._atoms()

    def _next(self, what: str) -> str:
        if not self.lines:
            raise InputError(f"{self.where} ends where {what} belongs")
        return self.lines.pop(0)

    def _numbers(self, what: str, count: int) -> np.ndarray:
        line = self._next(what)
        try:
            values = np.array([float(word) for word in line.split()])
        except ValueError:
            values = np.zeros(0)
        if len(values) != count:
            raise InputError(f"{self.where} has '{line}' for {what}, which takes {count} number(s)")
        return values

    def _cell_vectors(self) -> Iterator[np.ndarray]:
        while self.lines and self.lines[0][0] in "+-.0123456789n":
            yield self._numbers("Supercell", 3)

    def _read_atom_data(self, names: list[str]) -> None:
        if self.size < 1:
            raise InputError(f"{self.where} needs a Size of at least 1 before AtomData, not {self.size}")
        rows = [self._numbers(f"AtomData ({' '.join(names)})", len(names)) for _ in range(self.size)]
        self.columns = dict(zip(names, np.transpose(rows), strict=True))
        ids = self.columns.get("id")
        if ids is not None and len(np.unique(ids)) < self.size:
            raise InputError(f"{self.where} has atoms of the same id; ids must differ")

    def _read_plus_stress(self, names: list[str]) -> None:
        if sorted(names) != sorted(_STRESS_ORDER):
            raise InputError(
                f"{self.where} has PlusStress {' '.join(names)}; its columns are {' '.join(_STRESS_ORDER)}"
            )
        values = dict(zip(names, self._numbers("PlusStress", 6), strict=True))
        self.plus_stress = np.array([values[name] for name in _STRESS_ORDER])

    def _read_feature(self, words: list[str]) -> None:
        if not words:
            raise InputError(f"{self.where} has a Feature without a name")
        name = _GRADE_KEY if words[0] == _GRADE_FEATURE else words[0]
        self.info[name] = _feature_value(" ".join(words[1:]))

    def _vectors(self, *names: str) -> np.ndarray | None:
        if not all(name in self.columns for name in names):
            return None
        return np.stack([self.columns[name] for name in names], axis=1)

    def _symbols(self) -> list[str]:
        types = self.columns.get("type", np.zeros(self.size))
        for kind in np.unique(types):
            if not (0 <= kind < len(self.species)) or kind != int(kind):
                raise InputError(
                    f"{self.where} has atoms of type {kind:g}, but with the species "
                    f"{', '.join(self.species)} types go from 0 to {len(self.species) - 1}"
                )
        return [self.species[int(kind)] for kind in types]

    def _atoms(self) -> Atoms:
        cartesian = self._vectors("cartes_x", "cartes_y", "cartes_z")
        direct = self._vectors("direct_x", "direct_y", "direct_z")
        periodic = len(self.cell)
        if periodic > 3:
            raise InputError(f"{self.where} has {periodic} Supercell vectors; it takes at most three")
        if cartesian is None and (direct is None or periodic < 3):
            raise InputError(
                f"{self.where} has no positions; AtomData needs cartes_x cartes_y cartes_z, "
                "or direct_x direct_y direct_z with three Supercell vectors"
            )
        cell = np.zeros((3, 3))
        cell[:periodic] = self.cell
        positions = direct @ cell if cartesian is None and direct is not None else cartesian
        atoms = Atoms(self._symbols(), positions=positions, cell=cell, pbc=np.arange(3) < periodic)
        if _GRADES_COLUMN in self.columns:
            atoms.set_array(_GRADES_KEY, self.columns[_GRADES_COLUMN])
        forces = self._vectors("fx", "fy", "fz")
        if forces is not None:
            self.results["forces"] = forces
        if self.plus_stress is not None and atoms.cell.rank == 3:
            self.results["stress"] = -self.plus_stress / atoms.get_volume()
        if self.results:
            atoms.calc = SinglePointCalculator(atoms, **self.results)
        atoms.info = self.info
        return atoms


def _feature_value(text: str) -> int | float | str:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def _frame_text(atoms: Atoms, species: Sequence[str], row: _RowFormat) -> str:
    results = atoms.calc.results if atoms.calc is not None else {}
    lines = ["BEGIN_CFG", " Size", f"{len(atoms):6d}"]
    if atoms.pbc.any():
        lines += [" Supercell", *(row(vector) for vector in atoms.cell[atoms.pbc])]
    lines += _atom_data_lines(atoms, species, results.get("forces"), row)
    if "energy" in results:
        lines += [" Energy", row([results["energy"]])]
    if "stress" in results and atoms.cell.rank == 3:
        lines += [" PlusStress:" + "".join(f"{name:>20s}" for name in _STRESS_ORDER)]
        lines += [row(-np.asarray(results["stress"]) * atoms.get_volume())]
    for key, value in atoms.info.items():
        plain = isinstance(value, str | int | float | np.number) and str(value).strip()
        if plain and not any(character.isspace() for character in key):
            lines.append(
                f" Feature   {_GRADE_FEATURE if key == _GRADE_KEY else key}\t{' '.join(str(value).split())}"
            )
    return "\n".join([*lines, "END_CFG", ""])


def _atom_data_lines(
    atoms: Atoms, species: Sequence[str], forces: np.ndarray | None, row: _RowFormat
) -> list[str]:
    types = {symbol: index for index, symbol in enumerate(species)}
    unknown = sorted(set(atoms.get_chemical_symbols()) - set(types))
    if unknown:
        raise InputError(
            f"species: {', '.join(unknown)} is in the structures but not among {', '.join(species)}"
        )
    names = ["cartes_x", "cartes_y", "cartes_z"]
    values = [atoms.positions]
    if forces is not None:
        names += ["fx", "fy", "fz"]
        values.append(np.asarray(forces))
    if _GRADES_KEY in atoms.arrays:
        names.append(_GRADES_COLUMN)
        values.append(atoms.arrays[_GRADES_KEY].reshape(-1, 1))
    rows = zip(atoms.get_chemical_symbols(), np.hstack(values), strict=True)
    return [
        " AtomData:  id type" + "".join(f"{name:>20s}" for name in names),
        *(
            f"{number:12d} {types[symbol]:4d}{row(numbers)}"
            for number, (symbol, numbers) in enumerate(rows, start=1)
        ),
    ]


def _row(values: Sequence[float] | np.ndarray) -> str:
    # Numbers are fixed-point, because some readers of this format do not know exponents.
    return "".join(f" {value:19.12f}" for value in values)


def _exact_row(values: Sequence[float] | np.ndarray) -> str:
    return "".join(f" {value:.16e}" for value in values)
