"""Numbers of atoms that a file announces; readers would wait or allocate memory for atoms that it has not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from alflow.errors import InputError
from alflow.structures.lammps_files import DATA, DUMP


def check_counts(path: Path, name: str) -> None:
    """Check that a file in the format `name` has at least one byte per atom that it announces.

    Raises
    ------
    InputError
        If it has not.
    """
    size = path.stat().st_size
    for count in _counts(path, name):
        if count > size:
            raise InputError(
                f"{path}: announces {count} atoms, but has {size} bytes; it is cut off or broken"
            )


def _counts(path: Path, name: str) -> Iterator[int]:
    with path.open("rb") as file:
        if name == "vasp":  # numbers per element stand in line 6 or 7
            for line in islice(file, 5, 7):
                yield sum(int(word) for word in re.findall(rb"(?<!\S)\d{1,18}(?!\S)", line))
            return
        for line in file:
            if name == DUMP and b"NUMBER OF ATOMS" in line:
                yield _count(next(file, b""))
            elif name == DATA and (found := re.match(rb"\s*(\d{1,18})\s+atoms\b", line)):
                yield int(found[1])
            elif name in ("extxyz", "xyz") and (count := _count(line)):
                yield count
                for _ in islice(file, count + 1):
                    pass


def _count(line: bytes) -> int:
    found = re.match(rb"\s*(\d{1,18})\b", line)
    return int(found[1]) if found else 0
