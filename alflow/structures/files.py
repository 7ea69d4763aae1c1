"""Files of atomic structures, with checks: every format that ASE reads, and MLIP's `.cfg`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
from ase import Atoms
from ase.io.extxyz import write_extxyz
from ase.io.formats import filetype, ioformats

from alflow.errors import InputError
from alflow.files import STDOUT, written_completely
from alflow.structures.cfg_file import read_cfg, write_cfg
from alflow.structures.checks import check_energy_spread, check_ids, complaint
from alflow.structures.constraints import lost_constraints, with_cartesian_constraints, with_fixed_fractions
from alflow.structures.counts import check_counts
from alflow.structures.label_names import LabelKeys, without_ase_conversion
from alflow.structures.lammps_files import DATA, DUMP, lammps_format, read_lammps_data, read_lammps_dump
from alflow.structures.occupancies import check_cell, check_res, read_cif
from alflow.structures.qm_outputs import Labelled, is_qm_output, read_qm_output
from alflow.structures.reading import Reading, complete_single_atoms, reading

MLIP_CFG = "mlip-cfg"
KEEP_CONSTRAINTS = {"traj", "db", "json"}
HEAD_BYTES = 4096

_log = logging.getLogger(__name__)


def read_structures(
    path: str | Path,
    *,
    labelled: bool = False,
    species: Sequence[str] | None = None,
    keys: LabelKeys | None = None,
    file_format: str | None = None,
) -> list[Atoms]:
    """Read and check all structures of a file, as `read_file` does; notes go to the log of this module."""
    found = read_file(path, labelled=labelled, species=species, keys=keys, file_format=file_format)
    log_notes(found)
    return found.structures


def log_notes(found: Reading) -> None:
    """Log what a user should know about the file; commands show it on stderr."""
    for note in found.notes:
        _log.warning("%s", note)


def read_file(
    path: str | Path,
    *,
    labelled: bool = False,
    species: Sequence[str] | None = None,
    keys: LabelKeys | None = None,
    file_format: str | None = None,
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
    file_format
        `mlip-cfg`, or a format by ASE's name, where the name of the file misleads.

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
    _check_there(path)
    name = _known_format(path, file_format)
    frames = list(_iterate_frames(path, species, name))
    found = reading(
        path,
        [atoms for atoms, why in frames if atoms is not None and why is None],
        [why for _, why in frames if why is not None],
        keys=keys,
        strict=labelled or keys is not None,
        find=name != MLIP_CFG,
    )
    for number, atoms in enumerate(found.structures, start=1):
        if wrong := complaint(atoms, species, labelled):
            raise InputError(f"{path}: frame {number} of {len(found.structures)} {wrong}")
    check_ids(path, found.structures)
    check_energy_spread(path, found.structures)
    notes = complete_single_atoms(path, found.structures) if labelled else []
    return replace(found, notes=(*found.notes, *notes))


def write_structures(
    path: str | Path,
    structures: Sequence[Atoms],
    *,
    species: Sequence[str] | None = None,
    file_format: str | None = None,
) -> None:
    """Write structures; an existing file is replaced when the new one is complete.

    Parameters
    ----------
    path
        The file; ``-`` is standard output. Its name gives the format (`.extxyz`, `.xyz`, `.cfg`, POSCAR, …).
    species
        The order of the types in a `.cfg` file; may be left out if there is only one element.
    file_format
        `mlip-cfg`, or a format by ASE's name, where the name of the file misleads.

    Raises
    ------
    InputError
        If the folder is missing, or the format is unknown or cannot hold these structures.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    try:
        name = check_format(file_format) if file_format else _format_by_name(path)
        with written_completely(path) as beside:
            if name == MLIP_CFG:
                write_cfg(beside, structures, species or _one_element(path, structures))
            elif name == "extxyz":
                with beside.open("w", encoding="utf-8") as file:
                    for atoms in structures:  # each with arrays of its own
                        write_extxyz(file, [with_cartesian_constraints(atoms)])
            else:
                if name == "vasp":  # ASE writes no FixCartesian to it
                    structures = [with_fixed_fractions(atoms) for atoms in structures]
                ase.io.write(beside, list(structures), format=name)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: {len(structures)} structure(s) cannot be written: {_reason(error)}"
        ) from error
    lost = 0 if name in KEEP_CONSTRAINTS else sum(lost_constraints(atoms, name) > 0 for atoms in structures)
    if lost:
        _log.warning("%s: the format %s does not hold all constraints of %d structure(s)", path, name, lost)


def check_format(name: str) -> str:
    """The name of a format, if it is one.

    Raises
    ------
    InputError
        If neither alflow nor ASE knows it.
    """
    if name != MLIP_CFG and name not in ioformats:
        known = ", ".join(sorted(ioformats))
        raise InputError(f"format is '{name}', but it must be {MLIP_CFG} or one of ASE's: {known}")
    return name


def _format_by_name(path: Path) -> str:
    if path.suffix == ".cfg":
        return MLIP_CFG
    if path.suffix in {".xyz", ".extxyz"} or path == STDOUT:
        return "extxyz"
    return str(filetype(str(path), read=False))


def _format_of_file(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES).decode("utf-8-sig", errors="replace")
    if path.suffix == ".cfg" or head.lstrip().startswith("BEGIN_CFG"):
        return MLIP_CFG
    if path.suffix == ".extxyz":
        return "extxyz"
    return lammps_format(head) or str(filetype(str(path)))


def _one_element(path: Path, structures: Sequence[Atoms]) -> list[str]:
    elements = sorted({symbol for atoms in structures for symbol in atoms.get_chemical_symbols()})
    if len(elements) > 1:
        raise InputError(
            f"{path}: an MLIP .cfg file holds types without names; give the species in the order "
            f"of the potential (here {', '.join(elements)})"
        )
    return elements


def iterate_structures(path: Path, species: Sequence[str] | None = None) -> Iterator[Atoms]:
    """Read the structures of a file one at a time and without checks; formats are those of `read_structures`.

    Sites that are not filled by one atom are kept for `alflow.structures.occupancies.disorder`. Labels are
    as ASE reads them.

    Raises
    ------
    InputError
        If the file is missing, empty or of an unknown format; or, at that point, if it is cut off or broken.
    """
    _check_there(path)
    for atoms, _ in _iterate_frames(path, species, _known_format(path, None)):
        if atoms is not None:
            yield atoms


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give the path of a file with structures")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty; it must hold at least one structure")


def _known_format(path: Path, file_format: str | None) -> str:
    if file_format:
        return check_format(file_format)
    try:
        return _format_of_file(path)
    except Exception as error:  # ASE recognises some formats by reading them
        raise InputError(f"{path}: cannot be read as structures: {_reason(error)}") from error


def _iterate_frames(path: Path, species: Sequence[str] | None, name: str) -> Iterator[Labelled]:
    if name == MLIP_CFG and not species:
        raise InputError(
            f"{path}: an MLIP .cfg file holds types without names; give the species in their order"
        )
    # ASE's readers raise exceptions of any class, so no narrower class is enough.
    count = 0
    try:
        for frame in _frames(path, species, name):
            yield frame
            count += 1
    except InputError:
        raise
    except Exception as error:
        place = f" after frame {count}" if count else ""
        raise InputError(
            f"{path}: cannot be read as structures ({name}){place}, it is cut off or broken: {_reason(error)}"
        ) from error
    if not count:
        raise InputError(f"{path}: holds no structure; it must hold at least one")


def _frames(path: Path, species: Sequence[str] | None, name: str) -> Iterator[Labelled]:
    check_counts(path, name)
    if name == MLIP_CFG:
        yield from ((atoms, None) for atoms in read_cfg(path, species or ()))
    elif name == DATA:
        yield from ((atoms, None) for atoms in read_lammps_data(path, species))
    elif name == DUMP:
        yield from ((atoms, None) for atoms in read_lammps_dump(path, species))
    elif is_qm_output(name):
        yield from read_qm_output(path, name)
    elif name == "cif":
        yield from ((atoms, None) for atoms in read_cif(path))
    else:
        options: dict[str, Any] = {"properties_parser": without_ase_conversion} if name == "extxyz" else {}
        for atoms in ase.io.iread(path, index=":", format=name, **options):
            if name == "res":
                check_res(path, atoms)
            elif name == "castep-cell":
                check_cell(path, atoms)
            yield atoms, None


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
