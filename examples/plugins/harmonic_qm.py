"""A QM code as a plug-in: springs between near atoms, in the place of an electronic structure.

docs/howto/add_a_qm_code.md goes through this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from ase.stress import full_3x3_to_voigt_6_stress

from qm_interfaces import CodeFailed, QMResult, options

VERSION = "1.0"


class HarmonicInterface:
    """Springs between all atoms that are near enough.

    With d = r - length, a pair has the energy k/2 d² - D where d < 0, and -D (1 - d²/width²)² where
    0 ≤ d < width; D = k width²/4. The energy is smooth, and zero beyond length + width.

    Parameters
    ----------
    length_A
        Distance of least energy.
    stiffness_eV_A2
        Spring constant k.
    width_A
        By how much a spring can be stretched before it no longer pulls.
    """

    name = "harmonic"

    def __init__(self, length_A: float, stiffness_eV_A2: float = 2.0, width_A: float = 0.6) -> None:
        self.length_A = options.number("length_A", length_A, above=0.0)
        self.stiffness_eV_A2 = options.number("stiffness_eV_A2", stiffness_eV_A2, above=0.0)
        self.width_A = options.number("width_A", width_A, above=0.0)

    def level_of_theory(self) -> dict[str, Any]:
        """Everything that decides the numbers."""
        return {
            "code": "harmonic",
            "length_A": self.length_A,
            "stiffness_eV_A2": self.stiffness_eV_A2,
            "width_A": self.width_A,
        }

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        """Label one configuration."""
        reach_A = self.length_A + self.width_A
        first, distance_A, vector_A = neighbor_list("idD", atoms, reach_A)  # each pair twice
        if np.any(distance_A < 0.1 * self.length_A):
            raise CodeFailed("two atoms are at the same place", retryable=False)
        depth_eV = self.stiffness_eV_A2 * self.width_A**2 / 4
        d = distance_A - self.length_A
        left = 1 - (d / self.width_A) ** 2
        energy_eV = np.where(d < 0, self.stiffness_eV_A2 / 2 * d**2 - depth_eV, -depth_eV * left**2)
        slope_eV_A = self.stiffness_eV_A2 * d * np.where(d < 0, 1.0, left)
        pull_eV_A = (slope_eV_A / distance_A)[:, None] * vector_A
        forces_eV_A = np.zeros((len(atoms), 3))
        np.add.at(forces_eV_A, first, pull_eV_A)
        stress_eV_A3 = None
        if atoms.pbc.all():
            virial_eV = vector_A.T @ pull_eV_A / 2
            stress_eV_A3 = full_3x3_to_voigt_6_stress(virial_eV / atoms.get_volume())
        return QMResult(
            float(energy_eV.sum() / 2), forces_eV_A, stress_eV_A3, code="harmonic", code_version=VERSION
        )
