"""What was read from a file of structures, and what a user should know about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from alflow.errors import InputError
from alflow.structures.label_names import FoundLabels, LabelKeys, settle_labels

NOTABLE_EV_PER_ATOM = 1e-6
_ORIGINS = {"energy": "energies", "forces": "forces", "stress": "stresses"}


@dataclass(frozen=True)
class Reading:
    """Structures of a file.

    Attributes
    ----------
    structures : list of Atoms
        Structures that can be used; labels are in their calculators under ASE's names.
    set_aside : dict of str to int
        Reason → number of frames that were left out.
    notes : tuple of str
        One sentence per fact that a user should know; they begin with the path.
    numbers : tuple of int
        Number of each structure among the frames of the file, from 1; only of `read_batch`.
    faults : dict of int to str
        Index → why the labels of a structure cannot be settled, if such structures are skipped.
    """

    structures: list[Atoms]
    set_aside: dict[str, int]
    notes: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    faults: dict[int, str] = field(default_factory=dict)


def reading(
    path: Path,
    structures: list[Atoms],
    reasons: Sequence[str],
    *,
    keys: LabelKeys | None,
    strict: bool,
    find: bool,
    skip_faulty: bool = False,
) -> Reading:
    """Settle the labels of the frames that were read from a file.

    Parameters
    ----------
    reasons
        One reason per frame that was left out.
    keys
        Names of labels that the user gave.
    strict
        Whether the labels matter. If they do not, labels that cannot be settled stay as they are.
    find
        Whether other names than ASE's are recognised.
    skip_faulty
        Whether structures whose labels cannot be settled are named in `faults` instead of refused.

    Raises
    ------
    InputError
        If no frame is left; and if `strict`, labels contradict each other, are no numbers, or no frame has a
        name that the user gave.
    """
    count = len(structures) + len(reasons)
    set_aside = dict(Counter(reasons))
    notes = [f"{path}: {n} of {count} frames were set aside: {why}" for why, n in set_aside.items()]
    if not structures:
        raise InputError(notes[0] if notes else f"{path}: holds no structure; it must hold at least one")
    notes += _plain_columns(path)
    found, faults = [], {}
    for number, atoms in enumerate(structures, start=1):
        try:
            found.append(settle_labels(atoms, keys or LabelKeys(), find=find))
        except InputError as error:
            if skip_faulty and strict:
                faults[number - 1] = str(error)
            elif strict:
                raise InputError(f"{path}: frame {number} of {len(structures)} {error}") from None
    if strict and found:
        _check_keys(path, structures, found, keys)
        notes += _label_notes(path, structures, found)
    return Reading(structures, set_aside, tuple(notes), faults=faults)


def complete_single_atoms(path: Path, structures: Sequence[Atoms]) -> list[str]:
    """Give frames of one atom their forces, which are zero by symmetry; say what other frames lack."""
    zero = without_forces = without_energy = 0
    for atoms in structures:
        results = {} if atoms.calc is None else atoms.calc.results
        if "energy" in results and "forces" not in results and len(atoms) == 1:
            atoms.calc = SinglePointCalculator(atoms, **results, forces=np.zeros((1, 3)))
            zero += 1
        else:
            without_forces += "energy" in results and "forces" not in results
            without_energy += "forces" in results and "energy" not in results
    parts = [
        f"{number} of {len(structures)} frames have {what}"
        for number, what in (
            (zero, "one atom, whose forces are zero by symmetry"),
            (without_forces, "an energy and no forces, and are used for the energy"),
            (without_energy, "forces and no energy, and are used for the forces"),
        )
        if number
    ]
    return [f"{path}: {'; '.join(parts)}"] if parts else []


def _plain_columns(path: Path) -> list[str]:
    """A note if an .xyz file without names of columns has more than positions."""
    if path.suffix != ".xyz":
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        count, comment, atom = (file.readline() for _ in range(3))
    more = len(atom.split()) - 4
    if not count.strip().isdigit() or "properties" in comment.lower() or more < 1:
        return []
    return [
        f"{path}: {more} columns after the positions have no name and are not read; "
        "Properties=species:S:1:pos:R:3:forces:R:3 in the second line would name forces"
    ]


def _check_keys(
    path: Path, structures: Sequence[Atoms], found: Sequence[FoundLabels], keys: LabelKeys | None
) -> None:
    for label, name in (keys or LabelKeys()).model_dump(exclude_none=True).items():
        place = "stress" if label == "virial" else label
        if not any(place in labels.names for labels in found) and not any(f.no_volume for f in found):
            results = [{} if atoms.calc is None else atoms.calc.results for atoms in structures]
            known = {*structures[0].info, *structures[0].arrays, *results[0]} - {"numbers", "positions"}
            raise InputError(
                f"{path}: no frame has '{name}', which is to be the {label}; the first frame has "
                f"{', '.join(sorted(known)) or 'no other keys'}"
            )


def _label_notes(path: Path, structures: Sequence[Atoms], found: Sequence[FoundLabels]) -> list[str]:
    notes = []
    origins = []
    for label, plural in _ORIGINS.items():
        names = Counter(labels.names[label] for labels in found if label in labels.names)
        other = [name for name in names if name not in (label, "free_energy")]
        if other and len(names) == 1:
            origins.append(f"{plural} are read from {_with_convention(other[0])}")
        elif other:
            listed = ", ".join(f"{_with_convention(name)} in {n} frames" for name, n in names.items())
            origins.append(f"{plural} are read from {listed}")
    if origins:
        notes.append(f"{path}: {', '.join(origins)}")
    corrections = [labels.energy_correction_eV_per_atom for labels in found]
    if max(corrections, default=0.0) > NOTABLE_EV_PER_ATOM:
        number = sum(labels.names.get("energy") == "free_energy" for labels in found)
        part = "" if number in (0, len(found)) else f" in {number} of {len(found)} frames"
        notes.append(
            f"{path}: energies are the free energies{part}, whose gradient the forces are; `energy` differs "
            f"by up to {max(corrections) * 1e3:.3g} meV per atom"
        )
    if unread := sorted({name for labels in found for name in labels.unread}):
        notes.append(f"{path}: {', '.join(unread)} may be labels and are not read; --keys names what is read")
    if without_cell := sum(labels.no_volume for labels in found):
        notes.append(f"{path}: {without_cell} virials are not used, as their frames have no cell")
    return notes


def _with_convention(name: str) -> str:
    return f"{name} (−stress × volume, eV)" if "virial" in name.lower() else name
