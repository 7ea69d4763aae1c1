"""Reader of one block BEGIN_CFG … END_CFG of MLIP's `.cfg` format.

The rules are those of MLIP-3 (`Configuration::Load`): values may stand on the line of their keyword; a zero
vector of the supercell marks an open direction; a repeated Feature is text of several lines; an atom marked
as ghost is a neighbor of atoms, but has no neighborhood of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from alflow.errors import InputError
from alflow.structures.cfg_names import (
    GHOST_COLUMN,
    GHOST_KEY,
    GRADES_COLUMN,
    GRADES_KEY,
    OTHER_COLUMNS,
    PLUS_STRESS_KEY,
    STRESS_ORDER,
    key_of_feature,
)

CARTESIAN = ("cartes_x", "cartes_y", "cartes_z")
DIRECT = ("direct_x", "direct_y", "direct_z")
FORCES = ("fx", "fy", "fz")
KNOWN_COLUMNS = {
    "id",
    "type",
    *CARTESIAN,
    *DIRECT,
    *FORCES,
    GHOST_COLUMN,
    GRADES_COLUMN,
    *OTHER_COLUMNS,
}
IMAGE_TOLERANCE_A = 1e-4  # the file has at least 6 decimals
FLAGS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf)", re.IGNORECASE)


class FrameReader:
    """Reader of the lines of one block; every error message begins with the position in the file.

    Parameters
    ----------
    lines
        The lines between BEGIN_CFG and END_CFG.
    where
        File and frame, for messages.
    species
        Chemical symbols; types are indices into them.
    """

    def __init__(self, lines: Sequence[str], where: str, species: Sequence[str]) -> None:
        self.lines = [line for line in reversed(lines) if line.strip()]
        self.where = where
        self.species = species
        self.seen: set[str] = set()
        self.size = 0
        self.vectors = np.zeros((0, 3))
        self.columns: dict[str, np.ndarray] = {}
        self.results: dict[str, Any] = {}
        self.plus_stress: np.ndarray | None = None
        self.features: dict[str, str] = {}

    def read(self) -> Atoms:
        """The structure.

        Raises
        ------
        InputError
            If the block is cut off, contradicts itself, or has a type beyond the species.
        """
        while self.lines:
            line = self.lines.pop()
            word, *rest = line.split()
            keyword = word.rstrip(":").lower()
            if keyword in self.seen and keyword != "feature":
                raise self._error(f"has {word} twice")
            self.seen.add(keyword)
            match keyword:
                case "size":
                    self._read_size(rest)
                case "supercell":
                    self._read_supercell(rest)
                case "atomdata" | "atomic_data":
                    self._read_atom_data(rest)
                case "energy":
                    self.results["energy"] = float(self._numbers("Energy", 1, rest)[0])
                case "plusstress":
                    self._read_plus_stress(rest)
                case "feature":
                    self._read_feature(line)
                case _:
                    raise self._error(f"has an unknown keyword '{word[:60]}'")
        return self._atoms()

    def _error(self, wrong: str) -> InputError:
        return InputError(f"{self.where} {wrong}")

    def _numbers(self, what: str, count: int, words: Sequence[str]) -> np.ndarray:
        """Numbers from the rest of the keyword's line or, if there is none, from the next line."""
        if not words:
            if not self.lines:
                raise self._error(f"ends where {what} belongs")
            words = self.lines.pop().split()
        if len(words) != count or not all(map(_NUMBER.fullmatch, words)):
            raise self._error(f"has '{' '.join(words)[:120]}' for {what}, which takes {count} number(s)")
        return np.array([float(word) for word in words])

    def _read_size(self, words: list[str]) -> None:
        size = float(self._numbers("Size", 1, words)[0])
        if size < 1 or not size.is_integer():
            raise self._error(f"has a Size of {size:g}; it takes a number of atoms, at least 1")
        self.size = int(size)

    def _read_supercell(self, words: list[str]) -> None:
        rows = [self._numbers("Supercell", len(words) // 3 * 3 or 3, words)] if words else []
        while self.lines and _NUMBER.fullmatch(self.lines[-1].split()[0]):
            rows.append(self._numbers("Supercell", 3, ()))
        self.vectors = np.concatenate([np.zeros(0), *rows]).reshape(-1, 3)
        if not np.isfinite(self.vectors).all():
            raise self._error("has a Supercell that is not finite; its vectors are numbers in Å")
        if len(self.vectors) > 3:
            raise self._error(f"has {len(self.vectors)} Supercell vectors; it takes at most three")

    def _read_atom_data(self, names: list[str]) -> None:
        if self.size < 1:
            raise self._error("has AtomData without a Size before it")
        for name in names:
            if names.count(name) > 1:
                raise self._error(f"has the column {name} of AtomData twice")
            if name not in KNOWN_COLUMNS:
                raise self._error(f"has an unknown column {name[:60]} of AtomData")
        rows = []
        for _ in range(self.size):
            if not self.lines:
                raise self._error(f"ends where AtomData ({' '.join(names)}) belongs")
            row = self.lines.pop().split()
            if len(row) != len(names) or not all(map(_is_value, names, row)):
                raise self._error(
                    f"has '{' '.join(row)[:120]}' for AtomData ({' '.join(names)}), which takes "
                    f"{len(names)} number(s)" + (" and true or false" if GHOST_COLUMN in names else "")
                )
            rows.append([FLAGS.get(word.lower(), word) for word in row] if GHOST_COLUMN in names else row)
        self.columns = dict(zip(names, np.array(rows, dtype=float).T, strict=True))
        ids = self.columns.get("id")
        if ids is not None and len(np.unique(ids)) < self.size:
            raise self._error("has atoms of the same id; ids must differ")

    def _read_plus_stress(self, names: list[str]) -> None:
        if sorted(names) != sorted(STRESS_ORDER):
            raise self._error(f"has PlusStress {' '.join(names)}; its columns are {' '.join(STRESS_ORDER)}")
        values = dict(zip(names, self._numbers("PlusStress", 6, ()), strict=True))
        self.plus_stress = np.array([values[name] for name in STRESS_ORDER])

    def _read_feature(self, line: str) -> None:
        words = line.split(maxsplit=1)
        if len(words) < 2:
            raise self._error("has a Feature without a name")
        name, text = re.match(r"(\S+)\s?(.*)", words[1]).groups()  # type: ignore[union-attr]
        self.features[name] = f"{self.features[name]}\n{text}" if name in self.features else text

    def _vectors(self, names: Sequence[str]) -> np.ndarray | None:
        present = [name for name in names if name in self.columns]
        if present and len(present) < len(names):
            raise self._error(f"has the column {present[0]} of AtomData without {' '.join(names)}")
        return np.column_stack([self.columns[name] for name in names]) if present else None

    def _symbols(self) -> list[str]:
        types = self.columns.get("type", np.zeros(self.size))
        for kind in np.unique(types):
            if not (0 <= kind < len(self.species)) or not float(kind).is_integer():
                raise self._error(
                    f"has atoms of type {kind:g}, but with the species {', '.join(self.species)} "
                    f"types go from 0 to {len(self.species) - 1}"
                )
        return [self.species[int(kind)] for kind in types]

    def _atoms(self) -> Atoms:
        cartesian, direct = self._vectors(CARTESIAN), self._vectors(DIRECT)
        cell = np.zeros((3, 3))
        cell[: len(self.vectors)] = self.vectors
        periodic = cell.any(axis=1)
        if (cartesian is None) == (direct is None) or (cartesian is None and not periodic.all()):
            raise self._error(
                "has no positions or two; AtomData needs either cartes_x cartes_y cartes_z, or "
                "direct_x direct_y direct_z with three Supercell vectors"
            )
        positions = direct @ cell if cartesian is None and direct is not None else cartesian
        atoms = Atoms(self._symbols(), positions=positions, cell=cell, pbc=periodic)
        for name in OTHER_COLUMNS:
            if name in self.columns:
                atoms.set_array(name, self.columns[name])
        if GRADES_COLUMN in self.columns:
            atoms.set_array(GRADES_KEY, self.columns[GRADES_COLUMN])
        if (forces := self._vectors(FORCES)) is not None:
            self.results["forces"] = forces
        atoms.info = {key_of_feature(name): feature_value(text) for name, text in self.features.items()}
        if self.plus_stress is not None:
            # Without three periodic directions there is no volume to divide by.
            if periodic.all() and atoms.cell.rank == 3:
                self.results["stress"] = -self.plus_stress / atoms.get_volume()
            else:
                atoms.info[PLUS_STRESS_KEY] = self.plus_stress
        ghosts = self.columns.get(GHOST_COLUMN, np.zeros(self.size)) == 1
        if ghosts.any():
            atoms = self._with_ghosts(atoms, ghosts)
        if self.results:
            atoms.calc = SinglePointCalculator(atoms, **self.results)
        return atoms

    def _with_ghosts(self, atoms: Atoms, ghosts: np.ndarray) -> Atoms:
        """A periodic structure without its ghosts; any other with the flags of its ghosts.

        LAMMPS gives MLIP the atoms of one processor, and copies of those around them within the cutoff. With
        a Supercell the copies are periodic images. Without one, the structure is a part of a larger one.
        """
        if self.results or self.plus_stress is not None:
            raise self._error(
                "has ghost atoms together with energy, forces or PlusStress; these belong to the other atoms "
                "alone, and cannot be used"
            )
        if not atoms.pbc.any():
            atoms.set_array(GHOST_KEY, ghosts)
            return atoms
        own = atoms[~ghosts]
        for index in np.flatnonzero(ghosts):
            steps = (atoms.positions[index] - own.positions) @ np.linalg.pinv(atoms.cell.array)
            off = atoms.positions[index] - own.positions - np.round(steps) @ atoms.cell.array
            same = (own.numbers == atoms.numbers[index]) & (np.abs(off).max(axis=1) < IMAGE_TOLERANCE_A)
            if not same.any():
                raise self._error(
                    f"has a Supercell, but its ghost atom {index + 1} is no periodic image of another atom"
                )
        return own


def feature_value(text: str) -> int | float | str:
    """A Feature's text as the number that it is, or as text."""
    word = text.strip()
    if not _NUMBER.fullmatch(word):
        return text if "\n" in text else word
    if re.fullmatch(r"[+-]?\d{1,18}", word):
        return int(word)
    return float(word)


def _is_value(name: str, word: str) -> bool:
    return word.lower() in FLAGS if name == GHOST_COLUMN else _NUMBER.fullmatch(word) is not None
