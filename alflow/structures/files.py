"""Files of atomic structures, with checks: every format that ASE reads, and MLIP's `.cfg`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import ase.io
from ase import Atoms
from ase.io.formats import filetype

from alflow.errors import InputError
from alflow.structures.cfg_file import read_cfg, write_cfg
from alflow.structures.checks import check_energy_spread, check_ids, complaint
from alflow.structures.label_names import LabelKeys, without_ase_conversion
from alflow.structures.occupancies import check_cell, check_res, read_cif
from alflow.structures.qm_outputs import Labelled, is_qm_output, read_qm_output
from alflow.structures.reading import Reading, complete_single_atoms, reading

_log = logging.getLogger(__name__)


def read_structures(
    path: str | Path,
    *,
    labelled: bool = False,
    species: Sequence[str] | None = None,
    keys: LabelKeys | None = None,
) -> list[Atoms]:
    """Read and check all structures of a file, as `read_file` does; notes go to the log of this module."""
    found = read_file(path, labelled=labelled, species=species, keys=keys)
    for note in found.notes:
        _log.warning("%s", note)
    return found.structures


def read_file(
    path: str | Path,
    *,
    labelled: bool = False,
    species: Sequence[str] | None = None,
    keys: LabelKeys | None = None,
) -> Reading:
    """Read and check all structures of a file.

    Energies are free energies where both are known, because the forces are their gradient. Frames of QM
    outputs whose electronic steps did not converge are set aside.

    Parameters
    ----------
    path
        Extended XYZ, MLIP `.cfg`, POSCAR, OUTCAR or any other format that ASE recognises. Units are Å, eV,
        eV/Å and eV/Å³.
    labelled
        Whether each structure must have an energy or forces.
    species
        The chemical symbols that may occur, in the order of the potential; required for a `.cfg` file.
    keys
        Names of the labels; those that are left out are found. If None and not `labelled`, the labels do not
        matter, and labels that contradict each other are no error.

    Returns
    -------
    Reading
        At least one structure, with results in a `SinglePointCalculator`; what was set aside; and notes.

    Raises
    ------
    InputError
        If the file is missing, empty, cut off or of an unknown format; positions, cell or results are not
        finite or of a wrong shape; the cell is flat; atoms overlap; a site is not filled by one atom; an
        element is not among the species; labels are missing or contradict each other; two frames have the
        same `id`; or numbers are so large that they must be in other units. The message names the file, the
        frame (the first is 1) and the field.
    """
    path = Path(path)
    frames = list(_iterate_frames(path, species))
    found = reading(
        path,
        [atoms for atoms, why in frames if atoms is not None and why is None],
        [why for _, why in frames if why is not None],
        keys=keys,
        strict=labelled or keys is not None,
        find=path.suffix != ".cfg",
    )
    for number, atoms in enumerate(found.structures, start=1):
        if wrong := complaint(atoms, species, labelled):
            raise InputError(f"{path}: frame {number} of {len(found.structures)} {wrong}")
    check_ids(path, found.structures)
    check_energy_spread(path, found.structures)
    notes = complete_single_atoms(path, found.structures) if labelled else []
    return replace(found, notes=(*found.notes, *notes))


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

    Sites that are not filled by one atom are kept for `alflow.structures.occupancies.disorder`. Labels are
    as ASE reads them.

    Raises
    ------
    InputError
        If the file is missing, empty or of an unknown format; or, at that point, if it is cut off or broken.
    """
    for atoms, _ in _iterate_frames(path, species):
        if atoms is not None:
            yield atoms


def _iterate_frames(path: Path, species: Sequence[str] | None) -> Iterator[Labelled]:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give the path of a file with structures")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty; it must hold at least one structure")
    if path.suffix != ".cfg":
        frames = _iterate_with_ase(path)
    elif species:
        frames = ((atoms, None) for atoms in read_cfg(path, species))
    else:
        raise InputError(
            f"{path}: an MLIP .cfg file holds types without names; give the species in their order"
        )
    empty = True
    for frame in frames:
        yield frame
        empty = False
    if empty:
        raise InputError(f"{path}: holds no structure; it must hold at least one")


def _iterate_with_ase(path: Path) -> Iterator[Labelled]:
    # ASE's readers raise exceptions of any class, so no narrower class is enough.
    number = 0
    try:
        for number, frame in enumerate(_frames_of_ase(path), start=1):
            yield frame
    except InputError:
        raise
    except Exception as error:
        place = f" after frame {number}" if number else ""
        raise InputError(
            f"{path}: cannot be read as structures{place}, it is cut off or broken: {_reason(error)}"
        ) from error


def _frames_of_ase(path: Path) -> Iterator[Labelled]:
    file_format = "extxyz" if path.suffix == ".extxyz" else filetype(str(path))
    if is_qm_output(file_format):
        yield from read_qm_output(path, file_format)
    elif file_format == "cif":
        yield from ((atoms, None) for atoms in read_cif(path))
    else:
        options = {"properties_parser": without_ase_conversion} if file_format == "extxyz" else {}
        for atoms in ase.io.iread(path, index=":", format=file_format, **options):
            if file_format == "res":
                check_res(path, atoms)
            elif file_format == "castep-cell":
                check_cell(path, atoms)
            yield atoms, None


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
