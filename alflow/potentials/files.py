"""Files of potentials; the ending of the name tells the kind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from alflow.errors import InputError
from alflow.potentials.protocol import Potential, PotentialKind
from alflow.potentials.registry import POTENTIALS


def read_potential(path: str | Path, species: Sequence[str] | None = None) -> Potential:
    """Read the file of a potential of any kind.

    Parameters
    ----------
    path
    species
        Chemical symbols of the types, for files that do not name them.

    Raises
    ------
    InputError
        If the file cannot be read, its ending is that of no kind, or it is broken.
    """
    path = Path(path)
    kind = _kind_by_suffix(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the file of a potential") from None
    return kind.from_bytes(data, species, str(path))


def write_potential(path: str | Path, potential: Potential) -> None:
    """Write the file of a potential; an existing one is replaced once the new one is whole.

    Raises
    ------
    InputError
        If the ending of the name is not that of the potential's kind, or the file cannot be written.
    """
    path = Path(path)
    check_suffix(path, potential.kind)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(potential.to_bytes())
        beside.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def check_suffix(path: Path, kind: str) -> None:
    """Refuse a name that a potential of this kind is not written to, before the work is done.

    Raises
    ------
    InputError
    """
    suffixes = POTENTIALS.get(kind).suffixes
    if path.suffix not in suffixes:
        raise InputError(f"{path}: a potential of kind {kind!r} is written to a {suffixes[0]} file")


def _kind_by_suffix(path: Path) -> PotentialKind:
    known: list[str] = []
    for (
        name
    ) in POTENTIALS.names():  # one after the other: no other package is imported to read a file of ours
        kind = POTENTIALS.get(name)
        if path.suffix in kind.suffixes:
            return kind
        known += kind.suffixes
    raise InputError(
        f"{path}: no kind of potential has files of this name; potentials end in {', '.join(known)}"
    )
