"""Settings of simulations, and their limits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from alflow.settings import Section
from alflow.simulation.ramps import Pressure, Ramp, Temperature, ends

Ensemble = Literal["nve", "nvt", "npt"]
NptCell = Literal["isotropic", "axes", "free"]

LEAST_THERMOSTAT_K = 1.0


class MDMethod(Section):
    """Method of molecular dynamics, apart from the temperature, the pressure and the length of the run.

    Notes
    -----
    "nve" is velocity Verlet. "nvt" is Langevin dynamics in the BAOAB splitting (Leimkuhler and Matthews,
    J. Chem. Phys. 138, 174102, 2013). "npt" adds the Langevin piston of `alflow.simulation.piston`.
    """

    ensemble: Ensemble = Field(default="nvt", description="ensemble")
    npt_cell: NptCell = Field(
        default="isotropic",
        description="how the cell changes (npt): in volume, in the lengths of its three axes, or freely",
    )
    timestep_fs: float = Field(default=1.0, ge=0.05, le=10, description="time step, fs")
    friction_per_fs: float = Field(
        default=0.01, ge=1e-5, le=1, description="Langevin friction (nvt, npt), 1/fs"
    )
    barostat_time_fs: float = Field(
        default=1000.0,
        ge=10,
        le=1e6,
        description="time in the mass of the barostat, and relaxation time of its thermostat (npt), fs; "
        "the volume of a metal oscillates with a period of a fifth to half of it",
    )
    grade_every: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="steps between extrapolation grades; a run pauses at most this many steps late",
    )
    seed: int = Field(
        default=0, ge=0, le=10**15, description="seed of the initial velocities and of the thermostat"
    )

    @model_validator(mode="after")
    def _cell_moves(self) -> MDMethod:
        if self.ensemble != "npt" and self.npt_cell != "isotropic":
            raise ValueError(
                f"npt_cell is {self.npt_cell!r}, but the cell does not change in ensemble {self.ensemble!r}"
            )
        return self


class MDSettings(MDMethod):
    """The physics of one molecular-dynamics run.

    Notes
    -----
    The temperature applies to the thermostat, and to the initial velocities if the start has none; in
    ensemble "nve" only to the latter. The pressure includes its kinetic part; a positive pressure compresses.
    """

    temperature_K: Temperature = Field(
        default=300.0,
        description="temperature, K, or a ramp {from, to} over the run",
    )
    pressure_GPa: Pressure = Field(
        default=0.0, description="pressure (npt), GPa, or a ramp {from, to} over the run"
    )
    steps: int = Field(
        default=1000,
        ge=0,
        le=10**10,
        description="step at which the run ends, counted from its beginning, not from where it resumes",
    )

    @model_validator(mode="after")
    def _ensemble_has_the_targets(self) -> MDSettings:
        least_K = min(ends(self.temperature_K))
        if self.ensemble != "nve" and least_K < LEAST_THERMOSTAT_K:
            raise ValueError(
                f"temperature_K is {least_K:g}, but the thermostat of ensemble {self.ensemble!r} needs at "
                f"least {LEAST_THERMOSTAT_K:g} K"
            )
        if self.ensemble == "nve" and isinstance(self.temperature_K, Ramp):
            raise ValueError("temperature_K is a ramp, but ensemble 'nve' has no thermostat; use nvt or npt")
        if self.ensemble != "npt" and isinstance(self.pressure_GPa, Ramp):
            raise ValueError(
                f"pressure_GPa is a ramp, but ensemble {self.ensemble!r} has no barostat; use npt"
            )
        return self

    @property
    def highest_temperature_K(self) -> float:
        """The temperature, or the higher end of its ramp."""
        return max(ends(self.temperature_K))


class GradeControl(Section):
    """Thresholds of the extrapolation grade γ.

    The defaults are those of MLIP-3 (Podryabinkin et al., J. Chem. Phys. 159, 084112, 2023). Checkpoints are
    taken at or below `gamma_save` only, so that no run resumes in extrapolation.
    """

    gamma_save: float = Field(
        default=2.1, ge=1, le=1000, description="frames above this grade are candidates"
    )
    gamma_break: float = Field(default=10.0, ge=1, le=10_000, description="a run pauses above this grade")
    max_saved: int = Field(
        default=200,
        ge=1,
        le=100_000,
        description="candidates kept per call; if there are more, those with the highest grade of "
        "each interval of steps",
    )

    @model_validator(mode="after")
    def _grades_in_order(self) -> GradeControl:
        if self.gamma_break < self.gamma_save:
            raise ValueError(
                f"gamma_break = {self.gamma_break:g} must not be below gamma_save = {self.gamma_save:g}"
            )
        return self


class Guards(Section):
    """Limits at which a run pauses whatever its grade; `null` switches a limit off."""

    min_distance_A: float | None = Field(default=0.5, ge=0.1, le=5, description="closest approach, Å")
    max_temperature_K: float | None = Field(default=10_000.0, ge=1, le=1e6, description="temperature, K")
    max_volume_change: float | None = Field(
        default=0.5, ge=0.01, le=10, description="relative change of volume against the start"
    )


class Relaxation(Section):
    """Limits at which a relaxation is converged or given up."""

    max_force_eV_A: float = Field(default=0.01, gt=0, le=1, description="largest force on an atom, eV/Å")
    max_stress_GPa: float = Field(
        default=0.1,
        gt=0,
        le=10,
        description="largest component by which the stress differs from the pressure, GPa",
    )
    steps: int = Field(default=500, ge=1, le=100_000, description="steps, at most")
