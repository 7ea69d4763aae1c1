"""Structures of several files and folders, each with a name that tells its origin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ase import Atoms

from alflow.errors import InputError
from alflow.structures.files import read_structures


def named_structures(
    paths: Sequence[str | Path], species: Sequence[str] | None = None
) -> list[tuple[str, Atoms]]:
    """All structures of files and of the files in folders, in the order of the paths and of file names.

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
        If a folder has no files, or a file cannot be read.
    """
    files = [file for path in paths for file in _files(Path(path))]
    if not files:
        return []
    common = Path(os.path.commonpath([file.resolve().parent for file in files]))
    found: list[tuple[str, Atoms]] = []
    for file in files:
        structures = read_structures(file, species=species)
        name = file.resolve().relative_to(common).as_posix()
        for number, atoms in enumerate(structures, start=1):
            atoms.calc = None
            found.append((name if len(structures) == 1 else f"{name}-{number}", atoms))
    return found


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise InputError(f"{path}: the folder has no files; it must have files of structures")
    yield from files
