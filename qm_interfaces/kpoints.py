"""K-points of plane-wave codes: one mesh for all cells, or a density that gives each cell its mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from qm_interfaces import options
from qm_interfaces.interface import SettingsError


@dataclass(frozen=True)
class KPoints:
    """A mesh of k-points, or its density.

    Attributes
    ----------
    mesh
        Divisions along the three reciprocal vectors; None if the density is given.
    spacing_per_A
        Largest distance between k-points, the factor 2π included, like VASP's KSPACING.
    gamma
        Whether the mesh is centred at Γ.
    """

    mesh: tuple[int, int, int] | None
    spacing_per_A: float | None
    gamma: bool = True

    @classmethod
    def from_option(cls, value: Any) -> KPoints:
        given = options.mapping("kpoints", value)
        if set(given) - {"gamma"} not in ({"mesh"}, {"spacing_per_A"}):
            raise SettingsError(
                f"option 'kpoints' is {value!r}: it must have mesh or spacing_per_A, and may have gamma"
            )
        gamma = options.flag("kpoints.gamma", given.get("gamma", True))
        if "spacing_per_A" in given:
            spacing = options.number("kpoints.spacing_per_A", given["spacing_per_A"], above=0.0)
            return cls(None, spacing, gamma)
        mesh = given["mesh"]
        if not isinstance(mesh, list) or len(mesh) != 3:
            raise SettingsError(f"option 'kpoints.mesh' is {mesh!r}: it must be three whole numbers")
        a, b, c = (options.integer("kpoints.mesh", n, low=1) for n in mesh)
        return cls((a, b, c), None, gamma)

    def divisions(self, atoms: Atoms) -> tuple[int, int, int]:
        """Return the mesh of one configuration."""
        if self.mesh is not None:
            return self.mesh
        lengths_per_A = 2 * np.pi * np.linalg.norm(atoms.cell.reciprocal(), axis=1)
        a, b, c = np.maximum(1, np.ceil(lengths_per_A / self.spacing_per_A - 1e-9)).astype(int).tolist()
        return a, b, c

    def level_of_theory(self) -> dict[str, Any]:
        """Return the part of a level of theory that k-points decide."""
        return {
            "mesh": self.mesh and list(self.mesh),
            "spacing_per_A": self.spacing_per_A,
            "gamma": self.gamma,
        }
