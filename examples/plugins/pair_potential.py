"""A kind of potential as a plug-in: V_i = e(z_i) + ½ Σ_j Σ_k c_k(z_i, z_j) (1 − r_ij/R)^(k+2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from pydantic import Field

from alflow.errors import InputError
from alflow.potentials import Evaluation, FitResult, FitSettings, FlatStructures, evaluate_errors
from alflow.potentials.labels import labels_of
from alflow.potentials.settings import PotentialSettings


class PairSettings(PotentialSettings):
    """A pair potential with linear coefficients."""

    kind: Literal["pair"] = Field(default="pair", description="a pair potential")
    cutoff_A: float = Field(default=5.0, ge=2, le=15, description="cutoff radius R, Å")
    functions: int = Field(default=8, ge=1, le=20, description="powers k for each pair of species")


class PairPotential(PairSettings):
    species: tuple[str, ...]
    theta: tuple[float, ...]

    parameters = property(lambda self: np.array(self.theta))
    identity = property(lambda self: np.array([self.cutoff_A, self.functions, *self.theta]))

    def neighbor_memory(self) -> None: ...

    def parameter_range(self) -> np.ndarray:
        return np.eye(len(self.theta))

    def to_bytes(self) -> bytes:
        return self.model_dump_json().encode()

    def design(self, atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Rows (N, m), forces (N, 3, m) and virial (3, 3, m) by parameter, and the shortest distance."""
        if missing := set(atoms.symbols) - set(self.species):
            raise InputError(f"the potential has no species {min(missing)}")
        types, count, m = (
            np.array([self.species.index(s) for s in atoms.symbols]),
            len(self.species),
            len(self.theta),
        )
        i, j, d, r = neighbor_list("ijDd", atoms, self.cutoff_A)
        pair = np.minimum(types[i], types[j]) * count + np.maximum(types[i], types[j])
        at = np.arange(len(r))[:, None], count + self.functions * pair[:, None] + np.arange(self.functions)
        powers, x = np.arange(self.functions) + 2, 1 - r[:, None] / self.cutoff_A
        value, slope, rows, forces = (
            np.zeros((len(r), m)),
            np.zeros((len(r), m)),
            np.eye(m)[types],
            np.zeros((len(atoms), 3, m)),
        )
        value[at], slope[at] = x**powers / 2, -powers * x ** (powers - 1) / (2 * self.cutoff_A * r[:, None])
        pull = slope[:, None, :] * d[:, :, None]
        np.add.at(rows, i, value)
        np.add.at(forces, i, pull)
        np.subtract.at(forces, j, pull)
        return rows, forces, np.einsum("pam,pb->abm", pull, d), float(r.min(initial=np.inf))

    def evaluate(
        self, structures: FlatStructures, *, gradients: bool = False, grade_matrix: Any = None, **_: Any
    ) -> Evaluation:
        rows, forces, virials, nearest = zip(*map(self.design, structures.atoms()), strict=True)
        flat, theta = np.concatenate(rows), self.parameters
        grades = None if grade_matrix is None else np.abs(flat @ grade_matrix).max(axis=1)
        kept = flat if gradients else None
        return Evaluation(
            structures.offsets,
            flat @ theta,
            np.concatenate(forces) @ theta,
            np.array(virials) @ theta,
            kept,
            np.array(nearest),
            grades,
        )


class KIND:
    Settings, suffixes = PairSettings, (".pair",)

    @staticmethod
    def from_bytes(data: bytes, species: Sequence[str] | None, name: str) -> PairPotential:
        return PairPotential.model_validate_json(data)

    @staticmethod
    def fit(
        structures: Sequence[Atoms],
        *,
        species: Sequence[str],
        form: PairSettings,
        settings: FitSettings,
        **_: Any,
    ) -> FitResult:
        count = len(species) + form.functions * len(species) ** 2
        start = PairPotential(**form.model_dump(), species=tuple(species), theta=(0.0,) * count)
        matrix, target = [], []
        for atoms in structures:
            label, (rows, forces, virial, _) = labels_of(atoms), start.design(atoms)
            energy, force = (
                weight**0.5 for weight in (settings.energy_weight / len(atoms), settings.force_weight)
            )
            matrix += [energy * rows.sum(axis=0, keepdims=True), force * forces.reshape(-1, count)]
            target += [[energy * label.energy], force * label.forces.ravel()]
        theta = np.linalg.lstsq(np.concatenate(matrix), np.concatenate(target), rcond=1e-10)[0]
        fitted = start.model_copy(update={"theta": tuple(theta.tolist())})
        return FitResult(fitted, evaluate_errors(fitted, structures), loss=0.0)
