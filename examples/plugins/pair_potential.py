"""A potential as a plug-in: pair functions with linear coefficients (docs/howto/add_a_potential.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from pydantic import Field

from alflow.errors import InputError
from alflow.potentials import Evaluation, PotentialSettings
from alflow.potentials.least_squares import fit_linear
from alflow.potentials.neighbors import pairs_within, types_of


class PairSettings(PotentialSettings):
    kind: Literal["pair"] = Field(default="pair", description="pair functions with linear coefficients")
    cutoff_A: float = Field(ge=2, le=15, description="cutoff radius, Å")
    functions: int = Field(default=6, ge=1, le=12, description="functions per pair of species")


@dataclass(frozen=True, eq=False)
class PairPotential:
    """V_i = e(z_i) + Σ_jk c_k(z_i, z_j) φ_k(r_ij) / 2, φ_k = (1 - x)² / x^k with x = r / cutoff, k ≥ 1."""

    species: tuple[str, ...]
    cutoff_A: float
    parameters: np.ndarray  # (m,): e of each species, then c of each pair of species
    kind = "pair"

    def evaluate(self, structures, *, grade_matrix=None, **_wanted):
        types, pairs = types_of(self.species, structures.numbers), pairs_within(structures, self.cutoff_A)
        low, high = np.sort([types[pairs.first], types[pairs.second]], axis=0)
        pair, species = high * (high + 1) // 2 + low, len(self.species)
        c = self.parameters[species:].reshape(species * (species + 1) // 2, -1)
        k, x = np.arange(1, c.shape[1] + 1), pairs.distances_A[:, None] / self.cutoff_A
        half_functions = (1 - x) ** 2 / x**k / 2
        half_slopes = -(1 - x) * (2 * x + k * (1 - x)) / x ** (k + 1) / self.cutoff_A / 2
        rows = np.hstack([np.eye(species)[types], np.zeros((len(types), c.size))])
        np.add.at(rows, (pairs.first[:, None], species + pair[:, None] * len(k) + k - 1), half_functions)
        pull = (np.sum(c[pair] * half_slopes, axis=1) / pairs.distances_A)[:, None] * pairs.vectors_A
        forces, virials = pairs.forces_and_virials(pull)
        gamma = None if grade_matrix is None else np.abs(rows @ grade_matrix).max(axis=1)
        energies, nearest_A = rows @ self.parameters, pairs.min_distances_A
        return Evaluation(structures.offsets, energies, forces, virials, rows, nearest_A, gamma)

    @property
    def identity(self):
        return np.array([self.cutoff_A, *self.parameters])

    def neighbor_memory(self):
        return None

    def parameter_range(self):
        return np.eye(len(self.parameters))

    def to_bytes(self):
        return json.dumps([self.species, self.cutoff_A, self.parameters.tolist()]).encode()


class PairKind:
    Settings, suffixes = PairSettings, (".pair",)

    def from_bytes(self, data, species, name):
        try:
            symbols, cutoff_A, parameters = json.loads(data)
            return PairPotential(tuple(symbols), float(cutoff_A), np.array(parameters, dtype=float))
        except (ValueError, TypeError) as error:
            raise InputError(f"{name} is no pair potential: {error}") from None

    def fit(self, structures, *, species, form, settings, start=None, threads=1, progress=None):
        count = len(species) * (1 + (len(species) + 1) * form.functions / 2)
        potential_of = partial(PairPotential, tuple(species), form.cutoff_A)
        return fit_linear(potential_of, int(count), structures, settings)


KIND = PairKind()
