"""A moment tensor potential: its functional form and its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.potentials import kernel
from alflow.potentials.evaluation import Evaluation
from alflow.potentials.flat_structures import FlatStructures
from alflow.potentials.mtp.basis import ContractionTables, contraction_tables
from alflow.potentials.mtp.core import Core
from alflow.potentials.mtp.evaluate import evaluate_mtp
from alflow.potentials.mtp.parameter_range import parameter_range

SKIN_A = 0.5
"""Skin of the Verlet list."""

DEFAULT_RADIAL_BASIS_SIZE = 12
"""Chebyshev polynomials per radial function. MLIP-2's untrained potentials have 8; 12 cost almost no time and
lower the errors of molybdenum by a fifth."""

DECAY_RATES = (2.0, 4.0, 1.0, 6.0, 0.5, 8.0)
"""Decay rates of the radial functions f_μ of an untrained potential, in units of the inverse minimum
distance. With exponentials a fit starts at a tenth of the loss of random polynomials."""


@dataclass(frozen=True, eq=False)
class MomentTensorPotential:
    """E = Σ_i V(n_i), V = ξ_0(z_i) + Σ_α ξ_α B_α(n_i) (Shapeev 2016, doi 10.1137/15M1054183).

    The basis functions B_α contract moments M_{μ,ν} = Σ_j f_μ(r_ij) r̂_ij^⊗ν with radial functions
    f_μ(r) = s Σ_k c_{μk} T_k(x) (R_c − r)², x from −1 at the minimum distance to 1 at the cutoff.

    Attributes
    ----------
    species : tuple of str
        Chemical symbols; the index is the type in `.mtp` and `.cfg` files.
    cutoff_A, min_distance_A : float
        The interval of the Chebyshev polynomials. The same polynomials also evaluate pairs closer than the
        minimum distance.
    radial_coefficients : (S, S, F, K) array
        c, of centre species, neighbor species, radial function μ, polynomial k.
    species_energies_eV : (S,) array
        ξ_0.
    moment_coefficients : (B,) array
        ξ_α.
    tables : ContractionTables
        Tables that compute the basis functions.
    scaling : float
        s, as given in the file.
    core : Core or None
        Repulsion of nuclei at short distances, where it replaces the radial functions.
    """

    species: tuple[str, ...]
    cutoff_A: float
    min_distance_A: float
    radial_coefficients: NDArray[np.float64]
    species_energies_eV: NDArray[np.float64]
    moment_coefficients: NDArray[np.float64]
    tables: ContractionTables
    scaling: float = 1.0
    core: Core | None = None
    kind: ClassVar[str] = "mtp"

    def __post_init__(self) -> None:
        if not 0 <= self.min_distance_A < self.cutoff_A:
            raise InputError(
                f"the minimum distance ({self.min_distance_A} Å) must lie "
                f"between 0 and the cutoff ({self.cutoff_A} Å)"
            )
        count = len(self.species)
        shapes = {
            "radial_coefficients": (
                count,
                count,
                self.tables.radial_function_count,
                self.radial_coefficients.shape[-1],
            ),
            "species_energies_eV": (count,),
            "moment_coefficients": (len(self.tables.scalars),),
        }
        if self.core is not None:
            if self.core.outer_A.shape != (count, count):
                raise InputError(
                    f"the core has radii of the shape {self.core.outer_A.shape} for {count} species"
                )
            if self.core.outer_A.max() > self.cutoff_A:
                raise InputError(
                    f"outer_A of the core ({self.core.outer_A.max():g} Å) must not exceed the cutoff "
                    f"({self.cutoff_A:g} Å)"
                )
        for name, shape in shapes.items():
            actual = getattr(self, name).shape
            if actual != shape:
                raise InputError(
                    f"{name} has the shape {actual}, but {count} species and these tables need {shape}"
                )
            if not np.isfinite(getattr(self, name)).all():
                raise InputError(f"{name} holds a number that is not finite")

    @classmethod
    def random(
        cls,
        species: Sequence[str],
        level: int,
        cutoff_A: float,
        *,
        min_distance_A: float | None = None,
        radial_basis_size: int = DEFAULT_RADIAL_BASIS_SIZE,
        core: Core | None = None,
        seed: int = 0,
        tables: ContractionTables | None = None,
    ) -> MomentTensorPotential:
        """An untrained potential: exponential radial functions and coefficients, both with some randomness.

        Parameters
        ----------
        species : sequence of str
            Chemical symbols.
        level : int
            Even, 2 to 24; sets the number of basis functions.
        cutoff_A : float
            Cutoff radius.
        min_distance_A : float, optional
            Lower end of the Chebyshev interval; by default 0.4 of the cutoff.
        core : Core, optional
            Repulsion of nuclei at short distances.
        tables : ContractionTables, optional
            Tables of the basis functions, instead of those of the level.

        Raises
        ------
        InputError
            If the level, the cutoff or a species is invalid.
        """
        check_form(species, level, cutoff_A, radial_basis_size)
        tables = contraction_tables(level) if tables is None else tables
        count, functions = len(species), tables.radial_function_count
        min_distance_A = 0.4 * cutoff_A if min_distance_A is None else min_distance_A
        rng = np.random.default_rng(seed)
        radial = _decaying_functions(functions, radial_basis_size, min_distance_A, cutoff_A)
        return cls(
            species=tuple(species),
            cutoff_A=cutoff_A,
            min_distance_A=min_distance_A,
            radial_coefficients=radial * (1 + 0.1 * rng.normal(size=(count, count, *radial.shape))),
            species_energies_eV=np.zeros(count),
            moment_coefficients=1e-3 * rng.normal(size=len(tables.scalars)),
            tables=tables,
            core=core,
        )

    @property
    def identity(self) -> NDArray[np.float64]:
        """Cutoff, minimum distance, scaling, θ and the radii of a core, on which the rows depend."""
        radii = [] if self.core is None else [*self.core.inner_A.ravel(), *self.core.outer_A.ravel()]
        return np.array([self.cutoff_A, self.min_distance_A, self.scaling, *self.parameters, *radii])

    def evaluate(
        self,
        structures: FlatStructures,
        *,
        forces: bool = True,
        gradients: bool = False,
        grade_matrix: NDArray[np.float64] | None = None,
        threads: int = 1,
        neighbors: kernel.VerletList | None = None,
    ) -> Evaluation:
        """See `alflow.potentials.protocol.Potential`."""
        return evaluate_mtp(
            self,
            structures,
            forces=forces,
            gradients=gradients,
            grade_matrix=grade_matrix,
            threads=threads,
            neighbors=neighbors,
        )

    def neighbor_memory(self) -> kernel.VerletList:
        """A Verlet list, which is rebuilt when an atom has moved by half its skin."""
        return kernel.VerletList(SKIN_A)

    def parameter_range(self) -> NDArray[np.float64]:
        """A basis (m, r) of the directions of θ that neighborhoods can tell apart."""
        return parameter_range(self)

    def to_bytes(self) -> bytes:
        """The text of its `.mtp` file."""
        from alflow.potentials.mtp.mtp_file import mtp_to_text

        return mtp_to_text(self).encode()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "compiled"}

    @property
    def parameter_count(self) -> int:
        """Number m of all parameters θ."""
        return self.radial_coefficients.size + self.species_energies_eV.size + self.moment_coefficients.size

    @property
    def parameters(self) -> NDArray[np.float64]:
        """θ = [radial coefficients, species energies, moment coefficients], shape (m,)."""
        return np.concatenate(
            [self.radial_coefficients.ravel(), self.species_energies_eV, self.moment_coefficients]
        )

    def with_parameters(self, parameters: NDArray[np.float64]) -> MomentTensorPotential:
        """The same functional form with other parameters θ, shape (m,)."""
        radial, species, moments = np.split(
            np.asarray(parameters, dtype=float),
            np.cumsum([self.radial_coefficients.size, self.species_energies_eV.size]),
        )
        return replace(
            self,
            radial_coefficients=radial.reshape(self.radial_coefficients.shape),
            species_energies_eV=species,
            moment_coefficients=moments,
        )

    def types_of(self, numbers: NDArray[np.integer]) -> NDArray[np.int32]:
        """Types of atoms with these atomic numbers.

        Raises
        ------
        InputError
            If the potential lacks one of the species.
        """
        types: NDArray[np.int32] = self._type_of_number[numbers]
        if (types < 0).any():
            missing = chemical_symbols[numbers[types < 0][0]]
            raise InputError(
                f"the potential has no species {missing}; it was made for {', '.join(self.species)}"
            )
        return types

    @cached_property
    def _type_of_number(self) -> NDArray[np.int32]:
        types = np.full(len(chemical_symbols), -1, dtype=np.int32)
        types[[atomic_numbers[symbol] for symbol in self.species]] = np.arange(len(self.species))
        return types

    @cached_property
    def compiled(self) -> Any:
        """The potential in the layout of the kernel."""
        try:
            return kernel.make_potential(
                self.cutoff_A,
                self.min_distance_A,
                self.scaling,
                np.ascontiguousarray(self.radial_coefficients),
                np.ascontiguousarray(self.species_energies_eV),
                np.ascontiguousarray(self.moment_coefficients),
                self.tables.basic,
                self.tables.times,
                self.tables.scalars,
                self.tables.moment_count,
                None if self.core is None else self.core.table(self.species),
            )
        except ValueError as error:
            raise InputError(f"the tables of the potential are inconsistent: {error}") from None


def _decaying_functions(
    count: int, basis_size: int, min_distance_A: float, cutoff_A: float
) -> NDArray[np.float64]:
    """Chebyshev coefficients (count, basis_size) of f_μ(r) = exp(-κ_μ (r - R_min)) ((R_c - r)/(R_c -
    R_min))²."""
    width = cutoff_A - min_distance_A
    rates = np.array(DECAY_RATES[:count]) / max(min_distance_A, 0.2 * cutoff_A)
    x = np.cos(np.pi * (np.arange(100) + 0.5) / 100)
    decay = np.exp(-np.outer((x + 1) * width / 2, rates)) / width**2
    return np.asarray(np.polynomial.chebyshev.chebfit(x, decay, basis_size - 1).T, dtype=np.float64)


def check_form(species: Sequence[str], level: int, cutoff_A: float, radial_basis_size: int) -> None:
    """Check the values of a functional form.

    Raises
    ------
    InputError
        If a value is invalid; the message names the first one.
    """
    if not 2 <= level <= 24 or level % 2:
        raise InputError(f"level is {level}; it must be an even number from 2 to 24")
    if not 1.0 <= cutoff_A <= 15.0:
        raise InputError(f"cutoff is {cutoff_A} Å; it must lie between 1 and 15 Å")
    if not 2 <= radial_basis_size <= 30:
        raise InputError(f"radial_basis_size is {radial_basis_size}; it must lie between 2 and 30")
    if not species or len(set(species)) != len(species):
        raise InputError(f"species is {list(species)}; it must name every chemical element once")
    for symbol in species:
        if symbol not in chemical_symbols[1:]:
            raise InputError(f"species names {symbol!r}, which is no chemical symbol")
