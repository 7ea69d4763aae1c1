"""Formats of files of structures: MLIP's `.cfg`, and those that ASE knows."""

from __future__ import annotations

from pathlib import Path

from ase.io.formats import filetype, ioformats

from alflow.errors import InputError
from alflow.files import STDOUT
from alflow.structures.lammps_files import lammps_format

MLIP_CFG = "mlip-cfg"
HEAD_BYTES = 4096


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


def format_by_name(path: Path) -> str:
    """The format of a file that is to be written."""
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


def known_format(path: Path, file_format: str | None) -> str:
    """The format of a file that is to be read: the one that is given, or the one that it shows.

    Raises
    ------
    InputError
        If the file is missing or empty, or the format is unknown.
    """
    _check_there(path)
    if file_format:
        return check_format(file_format)
    try:
        return _format_of_file(path)
    except Exception as error:  # ASE recognises some formats by reading them
        raise InputError(f"{path}: cannot be read as structures: {reason_of(error)}") from error


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give the path of a file with structures")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty; it must hold at least one structure")


def reason_of(error: Exception) -> str:
    """The first line of an exception of another package."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
