"""Files of which some frames cannot be used: the other frames, and why some are left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms

from alflow.errors import InputError
from alflow.structures.checks import complaint, energies_out_of_line
from alflow.structures.files import iterate_frames
from alflow.structures.formats import MLIP_CFG, known_format
from alflow.structures.label_names import LabelKeys
from alflow.structures.reading import Reading, reading

_DETAILS = re.compile(r"'[^']*'|\[[^\]]*\]|[-+]?\d[\d.]*(e[-+]?\d+)?|\b[A-Z][a-z]?\b(, [A-Z][a-z]?\b)*")


class SetAside:
    """Frames of a file that cannot be used, counted by the kind of the reason.

    Reasons that differ only in numbers, elements or quoted text are of one kind.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, list[str]] = {}

    def add(self, why: str) -> None:
        """Count a frame."""
        self._kinds.setdefault(_DETAILS.sub("…", why), []).append(why)

    def notes(self, path: Path, count: int) -> list[str]:
        """One sentence per kind of reason, with the first reason; `count` is the number of all frames."""
        return [
            f"{path}: {len(reasons)} of {count} frames were set aside: {reasons[0]}"
            + (f" (and {len(reasons) - 1} more like it)" if len(set(reasons)) > 1 else "")
            for reasons in self._kinds.values()
        ]

    def counts(self) -> dict[str, int]:
        """First reason of each kind → number of frames."""
        return {reasons[0]: len(reasons) for reasons in self._kinds.values()}


def read_batch(
    path: str | Path,
    *,
    species: Sequence[str] | None = None,
    keys: LabelKeys | None = None,
    file_format: str | None = None,
) -> Reading:
    """Read the frames of a file that can be used; the others are set aside instead of refused.

    Parameters are those of `read_file`. Where a file is cut off or broken, its frames before that place are
    used, and a note says so. Two frames may have the same `id`.

    Raises
    ------
    InputError
        If no frame can be used.
    """
    path = Path(path)
    name = known_format(path, file_format)
    aside = SetAside()
    numbers: list[int] = []
    structures: list[Atoms] = []
    count, broken = 0, []
    try:
        for atoms, why in iterate_frames(path, species, name, faulty_too=True):
            count += 1
            if atoms is None or why is not None:
                aside.add(why or "")
            else:
                numbers.append(count)
                structures.append(atoms)
    except InputError as error:
        if not structures:
            raise
        broken = [f"{error}; the frames before it are used"]
    if not structures:
        raise InputError("; ".join(aside.notes(path, count)))
    found = reading(
        path, structures, [], keys=keys, strict=keys is not None, find=name != MLIP_CFG, skip_faulty=True
    )
    wrong = dict(found.faults)
    for index, atoms in enumerate(structures):
        if index not in wrong and (why := complaint(atoms, species, False)):
            wrong[index] = why
    right = [index for index in range(len(structures)) if index not in wrong]
    strange = energies_out_of_line([structures[index] for index in right])
    wrong |= {right[place]: why for place, why in strange.items()}
    for index in sorted(wrong):
        aside.add(f"frame {numbers[index]} {wrong[index]}")
    notes = [*aside.notes(path, count), *broken]
    kept = [index for index in range(len(structures)) if index not in wrong]
    if not kept:
        raise InputError("; ".join(notes))
    return Reading(
        structures=[structures[index] for index in kept],
        set_aside=aside.counts(),
        notes=(*notes, *found.notes),
        numbers=tuple(numbers[index] for index in kept),
    )
