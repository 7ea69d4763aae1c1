"""LAMMPS data files and text dumps, whose atoms have types instead of elements."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from alflow.errors import InputError

DATA, DUMP = "lammps-data", "lammps-dump-text"
MASS_TOLERANCE_AMU = 0.05
OTHER_ARRAYS = ("id", "type", "masses", "mmcharges")  # of LAMMPS; they are no properties of the structure


def lammps_format(head: str) -> str | None:
    """ASE's name of the format of a file that begins with `head`; None if it is not LAMMPS'."""
    if re.search(r"^ITEM: TIMESTEP", head, re.MULTILINE):
        return DUMP
    if re.search(r"^\s*\d+\s+atoms\b", head, re.MULTILINE) and re.search(r"\bxlo\s+xhi\b", head):
        return DATA
    return None


def read_lammps_data(path: Path, species: Sequence[str] | None) -> Iterator[Atoms]:
    """The structure of a data file in units `metal`.

    The elements of the types are, in this order of precedence: type labels, the comments in `Masses`, the
    masses, and `species` for the types 1, 2, ….

    Raises
    ------
    InputError
        If the elements of the types are not known, or the box is missing.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    if not re.search(r"\bxlo\s+xhi\b|\bavec\b", text):
        raise InputError(f"{path}: has no box; a LAMMPS data file has lines such as '0 10 xlo xhi'")
    elements = _elements_of_types(path, text)
    if not elements and species:
        elements = dict(enumerate(species, start=1))
    if not elements:
        raise InputError(
            f"{path}: does not say which elements its types are; give the species in the order of the types"
        )
    numbers = {kind: atomic_numbers[symbol] for kind, symbol in elements.items()}
    try:
        (atoms,) = ase.io.iread(path, index=":", format=DATA, Z_of_type=numbers)
    except KeyError as error:
        raise InputError(
            f"{path}: has atoms of type {error}, but only the types "
            f"{', '.join(map(str, elements))} have elements"
        ) from None
    assert isinstance(atoms, Atoms)
    yield _plain(atoms)


def read_lammps_dump(path: Path, species: Sequence[str] | None) -> Iterator[Atoms]:
    """The frames of a text dump in units `metal`; positions may be scaled or unwrapped.

    Raises
    ------
    InputError
        If there is neither a column `element` nor `species`, which are then the types 1, 2, ….
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        columns = next((line.split()[2:] for line in file if line.startswith("ITEM: ATOMS")), [])
    if "element" not in columns and not (species and "type" in columns):
        raise InputError(f"{path}: has no column `element`; give the species in the order of the types")
    options: dict[str, Any] = {} if "element" in columns else {"specorder": list(species or ())}
    try:
        for atoms in ase.io.iread(path, index=":", format=DUMP, **options):
            if atoms.calc is not None:
                atoms.calc.results.pop("energy", None)  # ASE makes it zero, where the file has none
            yield _plain(atoms)
    except IndexError:
        if options:
            raise InputError(f"{path}: has atoms of other types than 1 to {len(species or ())}") from None
        raise


def _elements_of_types(path: Path, text: str) -> dict[int, str]:
    labels = dict(_section(text, "Atom Type Labels"))
    if labels and all(words[0] in atomic_numbers for words, _ in labels.values() if words):
        return {kind: words[0] for kind, (words, _) in labels.items()}
    elements = {}
    for kind, (words, comment) in _section(text, "Masses"):
        named = comment.split()[0] if comment.split() else ""
        if named in chemical_symbols[1:]:
            elements[kind] = named
            continue
        try:
            off = np.abs(atomic_masses[1:] - float(words[0]))
        except (IndexError, ValueError):
            raise InputError(f"{path}: has no mass for type {kind} in Masses") from None
        if np.nanmin(off) > MASS_TOLERANCE_AMU:
            return {}
        elements[kind] = chemical_symbols[1 + int(np.nanargmin(off))]
    return elements


def _section(text: str, name: str) -> Iterator[tuple[int, tuple[list[str], str]]]:
    """Number, further words and comment of each line of a section."""
    found = re.search(rf"^\s*{name}\b[^\n]*\n(.*?)(?=^\s*[A-Z]|\Z)", text, re.MULTILINE | re.DOTALL)
    for line in found[1].splitlines() if found else ():
        content, _, comment = line.partition("#")
        kind, *words = content.split() or [""]
        if kind.isdecimal() and len(kind) < 9:
            yield int(kind), (words, comment)


def _plain(atoms: Atoms) -> Atoms:
    for name in OTHER_ARRAYS:
        atoms.arrays.pop(name, None)
    return atoms
