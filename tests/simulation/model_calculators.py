"""Calculators for the tests of simulations: cheap, and functions of the configuration alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

Grade = Callable[[Atoms], float]


class FreshEMT(EMT):
    """EMT with a new neighbour list each time, so that the order of its sums does not hang on the past."""

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = (), system_changes: Sequence[str] = ()
    ) -> None:
        super().calculate(atoms, list(properties), all_changes)


class PairModel(Calculator):
    """Argon: Lennard-Jones, its force shifted to zero at the cutoff, nearest images in a nearly cubic cell.

    `grade`, if given, is the extrapolation grade as a function of the configuration; `strength` 0 is a gas.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]
    epsilon_eV, sigma_A, cutoff_A = 0.0104, 3.4, 5.0

    def __init__(self, grade: Grade | None = None, strength: float = 1.0) -> None:
        super().__init__()
        self.grade, self.strength = grade, strength

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = (),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        super().calculate(atoms, list(properties), list(system_changes))
        assert self.atoms is not None
        first, second = np.triu_indices(len(self.atoms), 1)
        cell = self.atoms.cell.array
        separation = self.atoms.positions[first] - self.atoms.positions[second]
        separation -= np.round(separation @ np.linalg.inv(cell)) @ cell
        r = np.sqrt((separation**2).sum(axis=1))
        near = r < self.cutoff_A
        energy, force = self._pair(r[near])
        energy_at_cutoff, force_at_cutoff = self._pair(np.array([self.cutoff_A]))
        energy = energy - energy_at_cutoff + (r[near] - self.cutoff_A) * force_at_cutoff
        pull = ((force - force_at_cutoff) / r[near])[:, None] * separation[near]
        forces = np.zeros((len(self.atoms), 3))
        np.add.at(forces, first[near], pull)
        np.add.at(forces, second[near], -pull)
        virial = -separation[near].T @ pull / self.atoms.cell.volume
        self.results = {
            "energy": float(energy.sum()),
            "forces": forces,
            "stress": virial.ravel()[[0, 4, 8, 5, 2, 1]],
        }
        if self.grade is not None:
            self.results["extrapolation_grade"] = self.grade(self.atoms)

    def _pair(self, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s6 = (self.sigma_A / r) ** 6
        scale = 4 * self.epsilon_eV * self.strength
        return scale * (s6**2 - s6), scale * (12 * s6**2 - 6 * s6) / r


class ThriftyModel(PairModel):
    """A `PairModel` that computes grades only while they are wanted, and counts them."""

    def __init__(self, grade: Grade) -> None:
        super().__init__()
        self.grades_wanted = True
        self.computed = 0
        self._all_grades = grade

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = (),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        self.grade = self._all_grades if self.grades_wanted else None
        self.computed += self.grades_wanted
        super().calculate(atoms, properties, system_changes)


class CellSpring:
    """A gas of atoms that do not interact in a cell that is a spring: sampled exactly by quadrature.

    The energy is a function of the cell h alone: Σ k_k (ln L_k/L_k⁰)²/2 of the lengths of its axes ("axes"),
    or k tr(H²)/2 with the logarithmic strain H = ½ ln FᵀF of h = h⁰ F ("free").
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def __init__(self, cell: np.ndarray, stiffness_eV: float | np.ndarray, kind: str) -> None:
        self.cell, self.stiffness_eV, self.kind = cell, stiffness_eV, kind
        self.results: dict[str, Any] = {}

    def calculate(self, atoms: Atoms) -> None:
        cell = atoms.cell.array
        if self.kind == "axes":
            lengths = np.linalg.norm(cell, axis=1)
            strain = np.log(lengths / np.linalg.norm(self.cell, axis=1))
            directions = (cell / lengths[:, None]).T
        else:
            deformation = np.linalg.solve(self.cell, cell)
            squares, directions = np.linalg.eigh(deformation.T @ deformation)
            strain = np.log(squares) / 2
        virial = (directions * self.stiffness_eV * strain) @ directions.T
        self.results = {
            "energy": float((self.stiffness_eV * strain**2).sum() / 2),
            "forces": np.zeros((len(atoms), 3)),
            "stress": virial.ravel()[[0, 4, 8, 5, 2, 1]] / abs(np.linalg.det(cell)),
        }

    def get_forces(self, atoms: Atoms) -> np.ndarray:
        self.calculate(atoms)
        return self.results["forces"].copy()

    def get_stress(self, atoms: Atoms) -> np.ndarray:
        return self.results["stress"]


def argon() -> Atoms:
    """Solid argon, 32 atoms."""
    return bulk("Ar", "fcc", a=5.3, cubic=True) * (2, 2, 2)


def farthest_displacement(scale: float) -> Grade:
    """A grade that grows as any atom leaves its lattice site of `argon`."""
    sites = argon().positions
    return lambda atoms: scale * float(np.linalg.norm(atoms.positions - sites, axis=1).max())


def same_state(one: Any, other: Any) -> bool:
    """Whether two checkpoints are equal bit for bit."""
    names = ("positions", "momenta", "cell", "cell_momenta")
    return (
        one.step == other.step
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
        and one.random_state == other.random_state
    )
