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

from alflow.errors import InputError
from alflow.files import written_completely
from alflow.structures.cfg_file import cfg_frames, read_cfg, write_cfg
from alflow.structures.checks import check_ids, complaint, energies_out_of_line
from alflow.structures.constraints import (
    constraints_of,
    fixed_components,
    lost_constraints,
    with_cartesian_constraints,
    with_fixed_fractions,
)
from alflow.structures.counts import check_counts
from alflow.structures.formats import MLIP_CFG, check_format, format_by_name, known_format, reason_of
from alflow.structures.label_names import LabelKeys, without_ase_conversion
from alflow.structures.lammps_files import DATA, DUMP, read_lammps_data, read_lammps_dump
from alflow.structures.occupancies import check_cell, check_res, read_cif
from alflow.structures.qm_outputs import Labelled, is_qm_output, read_qm_output
from alflow.structures.reading import Reading, complete_single_atoms, reading

KEEP_CONSTRAINTS = {"traj", "db", "json"}

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
    name = known_format(path, file_format)
    frames = list(iterate_frames(path, species, name))
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
    for index, wrong in energies_out_of_line(found.structures).items():
        raise InputError(f"{path}: frame {index + 1} of {len(found.structures)} {wrong}")
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
        name = check_format(file_format) if file_format else format_by_name(path)
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
            f"{path}: {len(structures)} structure(s) cannot be written: {reason_of(error)}"
        ) from error
    lost = 0 if name in KEEP_CONSTRAINTS else sum(lost_constraints(atoms, name) > 0 for atoms in structures)
    if lost:
        _log.warning("%s: the format %s does not hold all constraints of %d structure(s)", path, name, lost)


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
    for atoms, _ in iterate_frames(path, species, known_format(path, None)):
        if atoms is not None:
            yield atoms


def iterate_frames(
    path: Path, species: Sequence[str] | None, name: str, *, faulty_too: bool = False
) -> Iterator[Labelled]:
    """The frames of a file of a known format, each with the reason if it is left out.

    Parameters
    ----------
    faulty_too
        Whether a broken block of a `.cfg` file is a frame that is left out, instead of an error.

    Raises
    ------
    InputError
        If there is no frame; or, at that point, if the file is cut off or broken.
    """
    if name == MLIP_CFG and not species:
        raise InputError(
            f"{path}: an MLIP .cfg file holds types without names; give the species in their order"
        )
    # ASE's readers raise exceptions of any class, so no narrower class is enough.
    count = 0
    try:
        for frame in _frames(path, species, name, faulty_too):
            yield frame
            count += 1
    except InputError:
        raise
    except Exception as error:
        place = f" after frame {count}" if count else ""
        raise InputError(
            f"{path}: cannot be read as structures ({name}){place}, it is cut off or broken: "
            f"{reason_of(error)}"
        ) from error
    if not count:
        raise InputError(f"{path}: holds no structure; it must hold at least one")


def _frames(path: Path, species: Sequence[str] | None, name: str, faulty_too: bool) -> Iterator[Labelled]:
    check_counts(path, name)
    if name == MLIP_CFG and faulty_too:
        yield from cfg_frames(path, species or ())
    elif name == MLIP_CFG:
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
            elif name == "extxyz" and atoms.constraints:  # one per atom, even of free ones
                atoms.set_constraint(constraints_of(fixed_components(atoms)))
            yield atoms, None
