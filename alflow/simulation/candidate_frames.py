"""The extrapolative frames of one run: candidates for labels."""

from __future__ import annotations

from ase import Atoms

from alflow.simulation.peaks import Peaks


class CandidateFrames:
    """Frames above γ_save, up to a limit; beyond it, the highest-graded frame of each interval is kept.

    Parameters
    ----------
    limit
        Largest number of frames, in addition to the last one passed to `keep`.
    """

    def __init__(self, limit: int) -> None:
        self._peaks: Peaks[Atoms] = Peaks(limit)
        self._kept: list[Atoms] = []

    def offer(self, atoms: Atoms, step: int, extrapolation_grade: float) -> None:
        """Keep the frame if its grade is the highest of its interval of steps. Steps never fall."""
        self._peaks.offer(step, extrapolation_grade, lambda: bare_frame(atoms, step, extrapolation_grade))

    def keep(self, atoms: Atoms, step: int, extrapolation_grade: float) -> None:
        """Keep the frame whatever its grade, because it paused the run."""
        self._kept.append(bare_frame(atoms, step, extrapolation_grade))

    def all(self) -> list[Atoms]:
        """Kept frames in the order of steps; frames that paused the run come last.

        ``info`` has ``step`` and ``extrapolation_grade``; no frame has a calculator.
        """
        return self._peaks.items() + self._kept


def bare_frame(atoms: Atoms, step: int, extrapolation_grade: float) -> Atoms:
    """The configuration without results, so that an energy of the potential cannot be taken for a label."""
    frame = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    frame.info = {"step": step, "extrapolation_grade": extrapolation_grade}
    return frame
