"""The extrapolative frames of one run: candidates for labels."""

from __future__ import annotations

from ase import Atoms

from alflow.simulation.peaks import Peaks


class CandidateFrames:
    """Keeps frames above γ_save, as many as asked for: where there are more, the highest of each interval.

    Parameters
    ----------
    limit
        Frames kept, beside the last one that `keep` was given.
    """

    def __init__(self, limit: int) -> None:
        self._peaks: Peaks[Atoms] = Peaks(limit)
        self._kept: list[Atoms] = []

    def offer(self, atoms: Atoms, step: int, extrapolation_grade: float) -> None:
        """Keep the frame if its grade is the highest of its interval of steps. Steps never fall."""
        self._peaks.offer(step, extrapolation_grade, lambda: bare_frame(atoms, step, extrapolation_grade))

    def keep(self, atoms: Atoms, step: int, extrapolation_grade: float) -> None:
        """Keep the frame whatever else there is: one that paused the run."""
        self._kept.append(bare_frame(atoms, step, extrapolation_grade))

    def all(self) -> list[Atoms]:
        """What is kept, in the order of steps, frames that paused the run last.

        ``info`` has ``step`` and ``extrapolation_grade``; no frame has a calculator.
        """
        return self._peaks.items() + self._kept


def bare_frame(atoms: Atoms, step: int, extrapolation_grade: float) -> Atoms:
    """The configuration alone, so that no energy of the potential can be taken for a label."""
    frame = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    frame.info = {"step": step, "extrapolation_grade": extrapolation_grade}
    return frame
