"""Files of atomic structures, with checks: every format that ASE reads, and MLIP's `.cfg`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import ase.io
from ase import Atoms

from alflow.errors import InputError
from alflow.structures.cfg_file import read_cfg, write_cfg
from alflow.structures.checks import check_energy_spread, check_ids, complaint


def read_structures(
    path: str | Path, *, labelled: bool = False, species: Sequence[str] | None = None
) -> list[Atoms]:
    """Read and check all structures of a file.

    Parameters
    ----------
    path
        Extended XYZ, MLIP `.cfg`, POSCAR, OUTCAR or any other format that ASE recognises. Units are Å, eV,
        eV/Å and eV/Å³.
    labelled
        Whether each structure must have an energy and forces.
    species
        The chemical symbols that may occur, in the order of the potential; required for a `.cfg` file.

    Returns
    -------
    list of Atoms
        At least one structure; results are in a `SinglePointCalculator`.

    Raises
    ------
    InputError
        If the file is missing, empty, cut off or of an unknown format; positions, cell or results are not
        finite or of a wrong shape; the cell is flat; atoms overlap; an element is not among the species;
        labels are missing; two frames have the same `id`; or numbers are so large that they must be in other
        units. The message names the file, the frame (the first is 1) and the field.
    """
    path = Path(path)
    structures = list(iterate_structures(path, species))
    for number, atoms in enumerate(structures, start=1):
        if wrong := complaint(atoms, species, labelled):
            raise InputError(f"{path}: frame {number} of {len(structures)} {wrong}")
    check_ids(path, structures)
    check_energy_spread(path, structures)
    return structures


def write_structures(
    path: str | Path, structures: Sequence[Atoms], *, species: Sequence[str] | None = None
) -> None:
    """Write structures in the format given by the file's name (`.extxyz`, `.xyz`, `.cfg`, POSCAR, …).

    Parameters
    ----------
    species
        The order of the types in a `.cfg` file; may be left out if there is only one element.

    Raises
    ------
    InputError
        If the folder is missing, or the format is unknown or cannot hold these structures.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.suffix == ".cfg":
        elements = sorted({symbol for atoms in structures for symbol in atoms.get_chemical_symbols()})
        if species is None and len(elements) > 1:
            raise InputError(
                f"{path}: an MLIP .cfg file holds types without names; give the species in the order "
                f"of the potential (here {', '.join(elements)})"
            )
        write_cfg(path, structures, species or elements)
        return
    file_format = "extxyz" if path.suffix in {".xyz", ".extxyz"} else None
    try:
        ase.io.write(path, list(structures), format=file_format)
    except Exception as error:
        raise InputError(
            f"{path}: {len(structures)} structure(s) cannot be written: {_reason(error)}"
        ) from error


def iterate_structures(path: Path, species: Sequence[str] | None = None) -> Iterator[Atoms]:
    """Read the structures of a file one at a time and without checks; formats are those of `read_structures`.

    Raises
    ------
    InputError
        If the file is missing, empty or of an unknown format; or, at that point, if it is cut off or broken.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give the path of a file with structures")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty; it must hold at least one structure")
    if path.suffix != ".cfg":
        structures = _iterate_with_ase(path)
    elif species:
        structures = iter(read_cfg(path, species))
    else:
        raise InputError(
            f"{path}: an MLIP .cfg file holds types without names; give the species in their order"
        )
    empty = True
    for atoms in structures:
        yield atoms
        empty = False
    if empty:
        raise InputError(f"{path}: holds no structure; it must hold at least one")


def _iterate_with_ase(path: Path) -> Iterator[Atoms]:
    # ASE's readers raise exceptions of any class, so no narrower class is enough.
    try:
        yield from ase.io.iread(path, index=":", format="extxyz" if path.suffix == ".extxyz" else None)
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as structures, it is cut off or broken: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
