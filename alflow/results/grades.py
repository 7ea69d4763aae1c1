"""Extrapolation grades that the runs of explorers met, by round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alflow.store import Store
from alflow.store.frames import unpack_arrays


@dataclass(frozen=True)
class RoundGrades:
    """The grades of a round, shape (n,); grades that are not finite are left out."""

    round: int
    grades: NDArray[np.float64]

    def counts(self, edges: NDArray[np.float64]) -> NDArray[np.int64]:
        """Number of grades between each pair of neighbouring `edges`, shape (len(edges) - 1,).

        Grades below the first edge count in the first interval, those above the last edge in the last.
        """
        inside = np.clip(self.grades, edges[0], np.nextafter(edges[-1], edges[0]))
        return np.histogram(inside, edges)[0].astype(np.int64)


def read_grades(store: Store, campaign: str, rounds: int) -> list[RoundGrades]:
    """The grades in the histories of all runs, for rounds 1 … `rounds` in which there are any.

    A step that a killed worker did, and another repeated, counts once.
    """
    found = []
    for round_ in range(1, rounds + 1):
        steps: dict[tuple[str, int], float] = {}
        for name in store.explorers.files.names(campaign=campaign, round=round_, kind="history"):
            history = unpack_arrays(store.explorers.files.get(name))
            run = name.rpartition("/")[0]
            keys = [(run, step) for step in history["step"].tolist()]
            steps |= dict(zip(keys, history["extrapolation_grade"].tolist(), strict=True))
        grades = np.array(list(steps.values()), dtype=float)
        if (grades := grades[np.isfinite(grades)]).size:
            found.append(RoundGrades(round_, grades))
    return found
