"""ASE calculator of a potential of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from numpy.typing import NDArray

from alflow.potentials.evaluation import evaluate
from alflow.potentials.files import read_potential
from alflow.potentials.flat_structures import FlatStructures
from alflow.potentials.grading import Grader, evaluate_graded
from alflow.potentials.protocol import Potential


class PotentialCalculator:
    """Energy, forces, stress and, with an active set, the extrapolation grade.

    This is a plain object with ASE's calculator protocol, because ASE's base class takes more time than the
    potential of a hundred atoms.

    Parameters
    ----------
    potential : Potential or path
        A potential of any kind, or the path of its file.
    species : sequence of str, optional
        Chemical symbols of the types, for a file that does not name them.
    active_set : ActiveSet, optional
        Adds `extrapolation_grade` of the configuration to the results. In mode neighborhood this is the
        largest grade of its atoms, and `extrapolation_grades` (N,) is added too.
    threads : int
        Threads of the evaluation.

    Notes
    -----
    Set `grades_wanted` to false to skip the computation of the grade; `results` then lacks it. Calculators
    can be pickled and copied; the copy builds its own neighbor list.

    `results` holds `energy`, `free_energy` (equal: there is no entropy), `energies` (N,), `forces` (N, 3),
    `stress` (6,) in ASE's sign and order, zero if the structure is not periodic in three directions, and
    `min_distance_A`.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "energies", "forces", "stress"]
    name = "alflow"

    def __init__(
        self,
        potential: Potential | str | Path,
        species: Sequence[str] | None = None,
        active_set: Grader | None = None,
        threads: int = 1,
    ) -> None:
        self.potential: Potential = (
            read_potential(potential, species) if isinstance(potential, str | Path) else potential
        )
        if active_set is not None:
            active_set.check_belongs_to(self.potential)
        self.active_set = active_set
        self.threads = threads
        self.grades_wanted = True
        self._neighbors = self.potential.neighbor_memory()
        self.results: dict[str, Any] = {}
        self._crystal: tuple[bytes, ...] | None = None
        self._positions: bytes | None = None  # None if the last evaluation failed

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_neighbors": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._neighbors = self.potential.neighbor_memory()

    @property
    def atoms(self) -> Atoms | None:
        """A copy of the structure that the results belong to; None before the first evaluation."""
        if self._crystal is None or self._positions is None:
            return None
        numbers, cell, pbc = self._crystal
        return Atoms(
            numbers=np.frombuffer(numbers, dtype=int),
            positions=np.frombuffer(self._positions).reshape(-1, 3),
            cell=np.frombuffer(cell).reshape(3, 3),
            pbc=np.frombuffer(pbc, dtype=bool),
        )

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """One of the results, computed if the structure has changed; None if that is not allowed."""
        atoms = atoms if atoms is not None else self.atoms
        if atoms is None or name not in (
            *self.implemented_properties,
            "extrapolation_grade",
            "extrapolation_grades",
        ):
            raise PropertyNotImplementedError(f"{name} is not a property of a potential")
        if self.calculation_required(atoms, [name]):
            if not allow_calculation:
                return None
            self.calculate(atoms)
        if name not in self.results:
            raise PropertyNotImplementedError(
                f"{name} needs an active set (of mode neighborhood for grades of atoms)"
            )
        value = self.results[name]
        return value.copy() if isinstance(value, np.ndarray) else value

    def calculate(self, atoms: Atoms) -> None:
        """Compute all results of `atoms`."""
        self._positions = None
        grades: dict[str, Any] = {}
        flat = self._flatten(atoms)
        options: dict[str, Any] = {"threads": self.threads, "neighbors": self._neighbors}
        if self.active_set is None or not self.grades_wanted:
            evaluation = evaluate(self.potential, flat, **options)
        else:
            evaluation, gamma = evaluate_graded(self.potential, flat, self.active_set, **options)
            grades["extrapolation_grade"] = float(gamma[0])
            if evaluation.grades is not None:
                grades["extrapolation_grades"] = evaluation.grades
        energy = float(evaluation.energies.sum())
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "energies": evaluation.energies,
            "forces": evaluation.forces,
            "stress": evaluation.voigt_virials[0] / self._volume_A3 if self._volume_A3 else np.zeros(6),
            "min_distance_A": float(evaluation.min_distances_A[0]),
            **grades,
        }
        self._positions = atoms.positions.tobytes()

    def _flatten(self, atoms: Atoms) -> FlatStructures:
        """The structure as flat arrays; with a constant cell only the positions are updated."""
        crystal = _crystal(atoms)
        if crystal == self._crystal:
            return replace(self._flat, positions=np.ascontiguousarray(atoms.positions))
        self._flat: FlatStructures = FlatStructures.of([atoms])
        self._volume_A3 = atoms.cell.volume if atoms.pbc.all() else 0.0
        self._crystal = crystal
        return self._flat

    def calculation_required(self, atoms: Atoms, properties: Sequence[str]) -> bool:
        """Whether `atoms` differs from the structure of the results, or the results lack a wanted grade."""
        lacks_grade = (
            self.active_set is not None and self.grades_wanted and "extrapolation_grade" not in self.results
        )
        changed = self._positions != atoms.positions.tobytes() or self._crystal != _crystal(atoms)
        return changed or lacks_grade

    def get_potential_energy(self, atoms: Atoms | None = None, force_consistent: bool = False) -> float:
        """Energy, eV."""
        return float(self.get_property("energy", atoms))

    def get_forces(self, atoms: Atoms | None = None) -> NDArray[np.float64]:
        """Forces (N, 3), eV/Å."""
        return np.asarray(self.get_property("forces", atoms))

    def get_stress(self, atoms: Atoms | None = None) -> NDArray[np.float64]:
        """Stress (6,), eV/Å³, Voigt order."""
        return np.asarray(self.get_property("stress", atoms))

    def get_potential_energies(self, atoms: Atoms | None = None) -> NDArray[np.float64]:
        """Energies of the atoms (N,), eV."""
        return np.asarray(self.get_property("energies", atoms))


def _crystal(atoms: Atoms) -> tuple[bytes, ...]:
    """All of a structure except the positions, as bytes, which are compared faster than arrays."""
    return atoms.numbers.tobytes(), atoms.cell.array.tobytes(), atoms.pbc.tobytes()
