"""The functions by which `ase.io` reads and writes MLIP's `.cfg` files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TextIO

from ase import Atoms
from ase.utils import string2index

from alflow.errors import InputError
from alflow.structures.cfg_file import cfg_from_text, cfg_to_text


def read_mlip_cfg(
    file: TextIO, index: int | slice | str = -1, species: str | Sequence[str] = ()
) -> Atoms | list[Atoms]:
    """Read configurations.

    Parameters
    ----------
    species
        Elements of the types: a sequence, or text such as ``Cu,Pd``.

    Raises
    ------
    InputError
        If the species are missing or the file is broken.
    """
    if not species:
        raise InputError("an MLIP .cfg file holds types without names; give species='Cu,Pd' in their order")
    name = str(getattr(file, "name", "the file"))
    frames = cfg_from_text(file.read().removeprefix("\ufeff"), _symbols(species), name)
    chosen: Any = string2index(index) if isinstance(index, str) else index
    found: Atoms | list[Atoms] = frames[chosen]
    return found


def write_mlip_cfg(file: TextIO, images: Sequence[Atoms] | Atoms, species: str | Sequence[str] = ()) -> None:
    """Write configurations; `species` may be left out if there is only one element.

    Raises
    ------
    InputError
        If the species are missing or incomplete.
    """
    structures = [images] if isinstance(images, Atoms) else list(images)
    symbols = _symbols(species) or sorted({symbol for atoms in structures for symbol in atoms.symbols})
    if not species and len(symbols) > 1:
        raise InputError(f"an MLIP .cfg file holds types without names; give species='{','.join(symbols)}'")
    file.write(cfg_to_text(structures, symbols))


def _symbols(species: str | Sequence[str]) -> list[str]:
    return species.replace(",", " ").split() if isinstance(species, str) else list(species)
