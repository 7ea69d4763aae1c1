"""Weights and settings of a fit, whatever the kind of potential."""

from __future__ import annotations

from pydantic import Field

from alflow.settings import Section, Symbol


class FitSettings(Section):
    """The fit of the potential; the defaults are those of `alflow fit`."""

    energy_weight: float = Field(default=1.0, ge=0, le=1e6, description="weight of energies, 1/eV²")
    force_weight: float = Field(default=1e-3, ge=0, le=1e6, description="weight of forces, Å²/eV²")
    stress_weight: float = Field(default=1e-4, ge=0, le=1e6, description="weight of virials, 1/eV²")
    isolated_atoms_eV: dict[Symbol, float] = Field(
        default={},
        description="energies of isolated atoms by element, which the potential then has exactly, eV",
    )
    ridge: float = Field(
        default=1e-6,
        ge=0,
        le=1,
        description="damping of steps that the data do not determine, relative",
    )
    starts: int = Field(default=1, ge=1, le=100, description="random starts; the best is kept")
    max_iterations: int = Field(default=100, ge=1, le=10_000, description="iterations of each start")
    tolerance: float = Field(
        default=1e-3,
        gt=0,
        le=1,
        description="a refit stops when an iteration lowers the loss by less than this fraction; "
        "a first fit stops when each of two successive iterations lowers it by less than a tenth of that",
    )
    refit_iterations: int = Field(
        default=10, ge=1, le=10_000, description="iterations of a refit, which starts from the last potential"
    )
    seed: int = Field(default=0, ge=0, description="seed of the random starts")
