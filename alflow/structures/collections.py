"""Structures of several files and folders, each with a name that tells its origin."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ase import Atoms

from alflow.errors import InputError
from alflow.structures.files import read_structures

_log = logging.getLogger(__name__)


def named_structures(
    paths: Sequence[str | Path], species: Sequence[str] | None = None
) -> list[tuple[str, Atoms]]:
    """All structures of files and of the files in folders, in the order of the paths and of file names.

    A file of a folder that cannot be used is set aside, and the reason goes to the log of this module.

    Parameters
    ----------
    paths
        Files that `read_structures` reads, and folders of such files. Hidden files are left out.
    species
        Chemical symbols that may occur.

    Returns
    -------
    list of (str, Atoms)
        Name and structure. The name is the path of the file relative to the folder common to all files. If
        the file has several structures, the number of the structure is added: ``slabs.extxyz-3``. Structures
        keep constraints, but no results.

    Raises
    ------
    InputError
        If a folder has no file that can be used, or a file that is given itself cannot be read.
    """
    files = [file for path in paths for file in _files(Path(path))]
    if not files:
        return []
    common = Path(os.path.commonpath([file.resolve().parent for file in files]))
    found: list[tuple[str, Atoms]] = []
    folders = {Path(path) for path in paths if Path(path).is_dir()}
    reasons: dict[Path, list[str]] = {folder: [] for folder in folders}
    for file in files:
        try:
            structures = read_structures(file, species=species)
        except InputError as error:
            if file.parent not in folders or file in map(Path, paths):
                raise
            reasons[file.parent].append(str(error))
            continue
        name = file.resolve().relative_to(common).as_posix()
        for number, atoms in enumerate(structures, start=1):
            atoms.calc = None
            found.append((name if len(structures) == 1 else f"{name}-{number}", atoms))
    for folder, wrong in reasons.items():
        if wrong and len(wrong) == len(list(_files(folder))):
            raise InputError(f"{folder}: none of its {len(wrong)} files can be used; {wrong[0]}")
        for reason in wrong:
            _log.warning("set aside: %s", reason)
    return found


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise InputError(f"{path}: the folder has no files; it must have files of structures")
    yield from files
