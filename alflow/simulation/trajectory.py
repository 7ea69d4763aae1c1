"""An extended XYZ file of a run, which a resumed run continues without gaps or duplicates."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TextIO

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import write_extxyz

from alflow.errors import InputError

_STEP = re.compile(rb"\bstep=(\d+)")


class TrajectoryWriter:
    """Writer of frames with energy, forces, momenta and `step`; each frame is flushed at once.

    Parameters
    ----------
    path
        Extended XYZ file; a run that starts at step 0 replaces it when it has its first frame.
    interval
        Steps between frames.
    first_step
        First step of the run. Frames in the file from this step on belong to an abandoned branch and are
        removed.

    Raises
    ------
    InputError
        If the name is not that of an extended XYZ file, or its folder does not exist.
    """

    def __init__(self, path: Path, interval: int, first_step: int) -> None:
        if path.suffix not in (".extxyz", ".xyz"):
            raise InputError(f"trajectory is {path}, but its name must end in .extxyz (or .xyz)")
        if not path.parent.is_dir():
            raise InputError(f"trajectory is {path}, but the folder {path.parent} does not exist")
        self.interval = interval
        self._path, self._first_step = path, first_step
        self._file: TextIO | None = None
        if first_step:
            self._open()

    def write(self, atoms: Atoms, step: int, grade: float) -> None:
        """Append the frame if its step is due."""
        if step % self.interval:
            return
        frame = atoms.copy()
        frame.info = {"step": step}
        if np.isfinite(grade):
            frame.info["extrapolation_grade"] = grade
        results = {name: atoms.calc.results[name] for name in ("energy", "forces")}
        frame.calc = SinglePointCalculator(frame, **results)
        file = self._file or self._open()
        write_extxyz(file, [frame])
        file.flush()

    def _open(self) -> TextIO:
        self._path.touch()
        cut_trajectory(self._path, self._first_step)
        self._file = self._path.open("a", encoding="utf-8")
        return self._file

    def __enter__(self) -> TrajectoryWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def cut_trajectory(path: Path, step: int) -> None:
    """Remove all frames from the first one of `step` or later, or from one that a killed run left partial."""
    with path.open("r+b") as file:
        keep = 0
        while (found := _read_step(file)) is not None and found < step:
            keep = file.tell()
        file.truncate(keep)


def _read_step(file: BinaryIO) -> int | None:
    """Read the next frame of the file and return its step; None if there is no complete frame."""
    count, comment = file.readline(), file.readline()
    found = _STEP.search(comment)
    if not count.strip().isdigit() or found is None:
        return None
    last = comment
    for _ in range(int(count)):
        last = file.readline()
    return int(found[1]) if last.endswith(b"\n") else None
