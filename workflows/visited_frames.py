"""Frames that a host keeps of the configurations that a run passes."""

from __future__ import annotations

from collections.abc import Callable

from ase import Atoms

LARGEST_BYTES = 16 * 2**20


class VisitedFrames:
    """Copies of configurations, handed over in numbered parts, so that a long run needs little memory.

    Parameters
    ----------
    store
        Function that stores a part, given its number and its frames.
    velocities
        Whether momenta are kept.
    """

    def __init__(self, store: Callable[[int, list[Atoms]], None], *, velocities: bool = False) -> None:
        self._store = store
        self._velocities = velocities
        self._frames: list[Atoms] = []
        self._bytes = 0
        self._part = 0

    def add(self, atoms: Atoms, step: int, extrapolation_grade: float) -> None:
        """Keep a copy with step, grade, energy (eV) and temperature (K) in ``info``."""
        frame = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        frame.info = {"step": step, "extrapolation_grade": extrapolation_grade}
        if atoms.calc is not None and "energy" in atoms.calc.results:
            frame.info["energy_eV"] = float(atoms.calc.results["energy"])
        if atoms.has("momenta"):
            frame.info["temperature_K"] = float(atoms.get_temperature())
            if self._velocities:
                frame.set_array("momenta", atoms.arrays["momenta"])
        self._frames.append(frame)
        self._bytes += 8 * sum(array.size for array in frame.arrays.values())
        if self._bytes > LARGEST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Store the frames kept so far as a part of its own."""
        if self._frames:
            self._store(self._part, self._frames)
            self._part += 1
            self._frames, self._bytes = [], 0
