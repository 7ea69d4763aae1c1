"""The form of a moment tensor potential, as campaign files give it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from alflow.potentials.mtp.core import CoreSettings
from alflow.potentials.mtp.potential import DEFAULT_RADIAL_BASIS_SIZE
from alflow.potentials.settings import PotentialSettings


class MTPSettings(PotentialSettings):
    """The moment tensor potential."""

    kind: Literal["mtp"] = Field(default="mtp", description="a moment tensor potential")
    level: int = Field(
        ge=2, le=24, multiple_of=2, description="level of the basis, even; 8 is small, 16 usual"
    )
    cutoff_A: float = Field(ge=2, le=15, description="cutoff radius, Å")
    min_distance_A: float | None = Field(
        default=None,
        ge=0.3,
        le=4,
        description="lower end of the radial basis, Å; default: the shortest distance in the first data",
    )
    radial_basis_size: int = Field(
        default=DEFAULT_RADIAL_BASIS_SIZE,
        ge=3,
        le=20,
        description="Chebyshev polynomials per radial function",
    )
    core: CoreSettings | None = Field(
        default=None, description="repulsion of nuclei at short distances; default: none"
    )

    @model_validator(mode="after")
    def _distances_in_order(self) -> MTPSettings:
        if self.min_distance_A is not None and self.min_distance_A >= self.cutoff_A:
            raise ValueError(
                f"min_distance_A = {self.min_distance_A:g} must be below cutoff_A = {self.cutoff_A:g}"
            )
        if self.core is not None and (self.core.outer_A or 0) > self.cutoff_A:
            raise ValueError(
                f"core.outer_A = {self.core.outer_A:g} must not exceed cutoff_A = {self.cutoff_A:g}"
            )
        return self
