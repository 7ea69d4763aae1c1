"""The stored result of the relaxation of one structure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.explorers.protocol import Host
from alflow.simulation import BatchResult, Guards
from alflow.simulation.distances import least_distance

UNSHOWN = ("place", "positions", "cell")


class State(StrEnum):
    """Final state of the relaxation of a structure."""

    CONVERGED = "converged"
    UNCONVERGED = "unconverged"
    SET_ASIDE = "set aside"
    PAUSED = "paused"


@dataclass(frozen=True)
class Relaxed:
    """Outcome of the relaxation of one structure, as it is stored.

    Attributes
    ----------
    place
        Index of the structure in its run.
    version
        Version of the potential.
    state, reason
        Final state, and the reason if the relaxation did not converge.
    positions : (N, 3)
        Final positions, Å.
    cell : (3, 3)
        Final cell, Å.
    energy_eV, extrapolation_grade, max_force_eV_A, max_stress_GPa, steps
        Same as in `BatchResult`.
    """

    place: int
    version: int
    state: str
    reason: str
    positions: NDArray[np.float64]
    cell: NDArray[np.float64]
    energy_eV: float
    extrapolation_grade: float
    max_force_eV_A: float
    max_stress_GPa: float
    steps: int

    def atoms(self, start: Atoms, name: str) -> Atoms:
        """The structure with its results in ``info``, without an empty reason, which extended XYZ lacks."""
        atoms: Atoms = start.copy()
        atoms.set_cell(self.cell)
        atoms.set_positions(self.positions, apply_constraint=False)
        facts = {key: value for key, value in asdict(self).items() if key not in UNSHOWN and value != ""}
        atoms.info = {"name": name, **facts}
        return atoms


def judged(place: int, result: BatchResult, host: Host, guards: Guards) -> Relaxed:
    """Convert the result of a batch to the outcome that is stored.

    A structure that ended without a minimum at an extrapolative configuration counts as paused: it needs a
    label, unless its atoms are too close for any code to label it.
    """
    state = {"converged": State.CONVERGED, "unconverged": State.UNCONVERGED, "paused": State.PAUSED}.get(
        result.state, State.SET_ASIDE
    )
    guessing = result.extrapolation_grade > host.control.gamma_save
    if guessing and _can_be_labelled(result, guards):
        state = State.PAUSED
    return Relaxed(
        place=place,
        version=host.version,
        state=state,
        reason=result.reason,
        positions=result.atoms.get_positions(),
        cell=result.atoms.cell.array.copy(),
        energy_eV=result.energy_eV,
        extrapolation_grade=result.extrapolation_grade,
        max_force_eV_A=result.max_force_eV_A,
        max_stress_GPa=result.max_stress_GPa,
        steps=result.steps,
    )


def _can_be_labelled(result: BatchResult, guards: Guards) -> bool:
    if not np.isfinite(result.energy_eV):
        return False
    limit_A = guards.min_distance_A
    return limit_A is None or least_distance(result.atoms, limit_A) >= limit_A
