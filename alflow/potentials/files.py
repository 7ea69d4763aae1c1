"""Files of potentials; the suffix of the name determines the kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alflow.errors import InputError
from alflow.files import write_completely
from alflow.potentials.protocol import Potential, PotentialKind
from alflow.potentials.registry import POTENTIALS


def read_potential(path: str | Path, species: Sequence[str] | None = None) -> Potential:
    """Read the file of a potential of any kind.

    Parameters
    ----------
    path
        The file; its suffix determines the kind.
    species
        Chemical symbols of the types, for files that do not name them.

    Raises
    ------
    InputError
        If the file cannot be read or is broken, or no kind of potential has its suffix.
    """
    path = Path(path)
    kind = _kind_by_suffix(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the file of a potential") from None
    return kind.from_bytes(data, species, str(path))


def write_potential(path: str | Path, potential: Potential) -> None:
    """Write the file of a potential; an existing file is replaced when the new one is complete.

    Raises
    ------
    InputError
        If the suffix is not that of the potential's kind, or the file cannot be written.
    """
    path = Path(path)
    check_suffix(path, potential.kind)
    write_completely(path, potential.to_bytes())


def check_suffix(path: Path, kind: str) -> None:
    """Check, before any work is done, that a file name suits this kind of potential.

    Raises
    ------
    InputError
        If its suffix is not the one that the kind writes.
    """
    suffixes = POTENTIALS.get(kind).suffixes
    if path.suffix != suffixes[0]:
        raise InputError(f"{path}: a potential of kind {kind!r} is written to a {suffixes[0]} file")


def is_potential_file(path: Path) -> bool:
    """Whether a kind of potential has files with this suffix."""
    return any(path.suffix in POTENTIALS.get(name).suffixes for name in POTENTIALS.names())


def _kind_by_suffix(path: Path) -> PotentialKind:
    known: list[str] = []
    for name in POTENTIALS.names():  # one at a time, so that our own files need no other package
        kind = POTENTIALS.get(name)
        if path.suffix in kind.suffixes:
            return kind
        known += kind.suffixes
    raise InputError(
        f"{path}: no kind of potential has files of this name; potentials end in {', '.join(known)}"
    )
