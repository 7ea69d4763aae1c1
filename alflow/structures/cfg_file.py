"""MLIP `.cfg` files: configurations with energy, forces and PlusStress, types as indices into the species.

The format is the one MLIP-2 and MLIP-3 share (Novikov et al. 2021, doi 10.1088/2632-2153/abc9fe).
`PlusStress` is −stress × volume in eV, in the order xx yy zz yz xz xy, which is ASE's Voigt order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ase import Atoms

from alflow.errors import InputError
from alflow.files import write_completely
from alflow.structures.cfg_frame import FrameReader
from alflow.structures.cfg_text import cfg_text


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
        See `cfg_from_text`.

    Raises
    ------
    InputError
        If the file is not an MLIP file, is cut off or contradicts itself, or has a type beyond the species.
    """
    return cfg_from_text(_text(path), species, str(path))


def cfg_frames(path: str | Path, species: Sequence[str]) -> Iterator[tuple[Atoms | None, str | None]]:
    """Each configuration of a file, or why it cannot be read; text outside of blocks is an error at the end.

    Raises
    ------
    InputError
        If the file cannot be read or is cut off, after the blocks before that place.
    """
    blocks: list[list[str]] = []
    fault = None
    try:
        for block in _blocks(_text(path), str(path)):
            blocks.append(block)
    except InputError as error:
        fault = error
    for number, lines in enumerate(blocks, start=1):
        where = f"frame {number}"
        try:
            yield FrameReader(lines, where, species).read(), None
        except InputError as error:
            yield None, str(error)
    if fault:
        raise fault


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def cfg_from_text(text: str, species: Sequence[str], name: str) -> list[Atoms]:
    """The configurations in the text of a `.cfg` file; messages call it `name`.

    Returns
    -------
    list of Atoms
        Structures, with a `SinglePointCalculator` if the file gives an energy, forces or PlusStress. Features
        go to `info` (`MV_grade` as `extrapolation_grade`; names of results such as `energy` get the prefix
        ``mlip_``), neighborhood grades to `arrays["extrapolation_grades"]`. Vectors of `Supercell` that are
        not zero are the periodic directions; a stress needs all three for its volume, and `PlusStress` stays
        in `info` without them. Atoms marked as ghosts are left out if they are periodic images; without a
        Supercell they stay and `arrays["ghost"]` marks them.

    Raises
    ------
    InputError
        If this is not an MLIP file, is cut off or contradicts itself, or has a type beyond the species.
    """
    blocks = list(_blocks(text, name))
    return [
        FrameReader(lines, f"{name}: frame {number} of {len(blocks)}", species).read()
        for number, lines in enumerate(blocks, start=1)
    ]


def write_cfg(
    path: str | Path, structures: Sequence[Atoms], species: Sequence[str], *, lossless: bool = False
) -> None:
    """Write configurations as an MLIP `.cfg` file, with all results that their calculators hold.

    Parameters
    ----------
    path
        The file; an existing one is replaced.
    structures, species, lossless
        See `cfg_text`.

    Raises
    ------
    InputError
        If a structure holds an element that is not among the species.
    """
    write_completely(path, cfg_to_text(structures, species, lossless=lossless))


def cfg_to_text(structures: Sequence[Atoms], species: Sequence[str], *, lossless: bool = False) -> str:
    """The text of the file that `write_cfg` writes."""
    return "\n".join(cfg_text(atoms, species, lossless=lossless) for atoms in structures)


def _blocks(text: str, name: str) -> Iterator[list[str]]:
    """The lines between each BEGIN_CFG and its END_CFG."""
    block: list[str] | None = None
    count = 0
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        word = line.strip()
        if word == "BEGIN_CFG" and block is None:
            block = []
            count += 1
        elif word == "END_CFG" and block is not None:
            yield block
            block = None
        elif block is not None and word != "BEGIN_CFG":
            block.append(line)
        elif word:
            raise InputError(
                f"{name}: line {number} reads '{word[:60]}' where BEGIN_CFG or END_CFG belongs; "
                "an MLIP .cfg file holds blocks BEGIN_CFG … END_CFG"
            )
    if block is not None:
        raise InputError(f"{name}: frame {count} is cut off, its END_CFG is missing")
