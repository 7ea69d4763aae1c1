"""Relaxations: when they end, their level of theory, and codes that move the atoms themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from ase import Atoms

from qm_interfaces import options
from qm_interfaces.interface import NotConverged, QMResult


@dataclass(frozen=True)
class RelaxationSettings:
    """Criteria by which a structure counts as relaxed.

    Attributes
    ----------
    fmax_eV_A
        Largest force on an atom.
    smax_eV_A3
        Largest component of stress + pressure, if the cell relaxes too.
    steps
        Largest number of steps.
    pressure_GPa
        External pressure on the cell.

    Raises
    ------
    SettingsError
        If a value is not a positive number, or `steps` not a whole number.
    """

    fmax_eV_A: float
    smax_eV_A3: float
    steps: int
    pressure_GPa: float = 0.0

    def __post_init__(self) -> None:
        options.number("fmax_eV_A", self.fmax_eV_A, above=0.0)
        options.number("smax_eV_A3", self.smax_eV_A3, above=0.0)
        options.integer("steps", self.steps, low=1)
        options.number("pressure_GPa", self.pressure_GPa)

    def reached(self, forces_eV_A: np.ndarray, stress_eV_A3: np.ndarray | None) -> bool:
        """Return whether forces (and stress, unless it is None) are those of a relaxed structure."""
        force, stress = self._left(forces_eV_A, stress_eV_A3)
        return force <= self.fmax_eV_A and stress <= self.smax_eV_A3

    def not_reached(self, forces_eV_A: np.ndarray, stress_eV_A3: np.ndarray | None) -> NotConverged:
        """Return the error that says which force and stress remain after the last step."""
        force, stress = self._left(forces_eV_A, stress_eV_A3)
        strained = "" if stress_eV_A3 is None else f" and {stress:.3g} eV/Å³ ({self.smax_eV_A3:g})"
        return NotConverged(
            f"not relaxed within {self.steps} steps: {force:.3g} eV/Å ({self.fmax_eV_A:g} asked for)"
            f"{strained} are left"
        )

    def _left(self, forces_eV_A: np.ndarray, stress_eV_A3: np.ndarray | None) -> tuple[float, float]:
        from ase.units import GPa

        force = float(np.linalg.norm(forces_eV_A, axis=1).max())
        if stress_eV_A3 is None:
            return force, 0.0
        pressure_eV_A3 = self.pressure_GPa * GPa * np.array([1, 1, 1, 0, 0, 0])
        return force, float(np.abs(stress_eV_A3 + pressure_eV_A3).max())


def relaxation_level(
    level_of_theory: Mapping[str, Any], *, fmax_eV_A: float, smax_eV_A3: float, pressure_GPa: float = 0.0
) -> dict[str, Any]:
    """Return the level of theory of a relaxation at the static level `level_of_theory`.

    Together with the starting configuration, it identifies the relaxation.
    """
    reach = {"fmax_eV_A": float(fmax_eV_A), "smax_eV_A3": float(smax_eV_A3)}
    return dict(level_of_theory) | {"relaxation": reach | {"pressure_GPa": float(pressure_GPa)}}


@runtime_checkable
class RelaxingInterface(Protocol):
    """An interface whose code moves atoms and cell itself, better than L-BFGS around its labels."""

    def relax(
        self, atoms: Atoms, directory: Path, settings: RelaxationSettings, *, attempt: int = 1
    ) -> QMResult:
        """Relax a structure.

        Returns
        -------
        QMResult
            Energy, forces and stress of `relaxed`, at the level of theory of a static label there.
            `details["evaluations"]` is the number of evaluations of energy and forces.

        Raises
        ------
        NotConverged
            If `settings.steps` run out.
        QMError
            If a run of the code fails.
        """
        ...
