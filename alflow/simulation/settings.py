"""What a molecular-dynamics run is asked to do, and when it is to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from alflow.errors import InputError

Ensemble = Literal["nve", "nvt", "npt"]


@dataclass(frozen=True)
class MDSettings:
    """The physics of a molecular-dynamics run.

    Parameters
    ----------
    ensemble
        "nve": velocity Verlet. "nvt": Langevin dynamics, BAOAB splitting (Leimkuhler and Matthews, J. Chem.
        Phys. 138, 174102, 2013). "npt": the same with an isotropic Langevin piston (Quigley and Probert, J.
        Chem. Phys. 120, 11432, 2004); the shape of the cell is kept.
    temperature_K
        Of the thermostat, and of the initial velocities where the start has none. In the nve ensemble the
        latter only.
    pressure_GPa
        Of the barostat (npt), kinetic part included; positive compresses.
    timestep_fs
        Time step.
    steps
        The step at which the run is finished, counted from the beginning of the run, not from where it
        resumes.
    friction_per_fs
        Of the Langevin thermostat (nvt, npt).
    barostat_time_fs
        τ in the mass of the piston, (3N + 3) k_B T τ² (Martyna, Tobias and Klein, J. Chem. Phys. 101, 4177,
        1994), and the relaxation time of its thermostat. The volume of a metal oscillates with a period of a
        fifth to half of it.
    seed
        Of the initial velocities and of the thermostat.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    ensemble: Ensemble = "nvt"
    temperature_K: float = 300.0
    pressure_GPa: float = 0.0
    timestep_fs: float = 1.0
    steps: int = 1000
    friction_per_fs: float = 0.01
    barostat_time_fs: float = 1000.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.ensemble not in get_args(Ensemble):
            raise InputError(
                f"ensemble is {self.ensemble!r}, but must be one of {', '.join(get_args(Ensemble))}"
            )
        for name in ("timestep_fs", "friction_per_fs", "barostat_time_fs"):
            require(name, getattr(self, name), above=0.0)
        if self.ensemble == "nve":
            require("temperature_K", self.temperature_K, at_least=0.0)
        else:
            require("temperature_K", self.temperature_K, above=0.0)
        require("pressure_GPa", self.pressure_GPa)
        require("steps", self.steps, at_least=0)
        require("seed", self.seed, at_least=0)


@dataclass(frozen=True)
class GradeControl:
    """Thresholds of the extrapolation grade γ.

    Defaults as MLIP-3 (Podryabinkin et al., J. Chem. Phys. 159, 084112, 2023).

    Parameters
    ----------
    gamma_save
        Frames above it are saved; checkpoints are taken at or below it only, so that no run resumes in
        extrapolation.
    gamma_break
        The run is paused above it.
    max_saved
        Saved frames kept of one call; where there are more, the highest γ of each interval of steps.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    gamma_save: float = 2.1
    gamma_break: float = 10.0
    max_saved: int = 200

    def __post_init__(self) -> None:
        require("gamma_save", self.gamma_save, above=0.0)
        require("gamma_break", self.gamma_break, at_least=self.gamma_save)
        require("max_saved", self.max_saved, at_least=1)


@dataclass(frozen=True)
class Guards:
    """Limits beyond which a simulation is paused whatever its grade; None switches one off.

    Parameters
    ----------
    min_distance_A
        Least distance between two atoms, periodic images included.
    max_temperature_K
        Highest instantaneous temperature.
    max_volume_change
        Largest |V / V_start − 1|.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    min_distance_A: float | None = 0.5
    max_temperature_K: float | None = 10000.0
    max_volume_change: float | None = 0.5

    def __post_init__(self) -> None:
        for name in ("min_distance_A", "max_temperature_K", "max_volume_change"):
            value = getattr(self, name)
            if value is not None:
                require(name, value, above=0.0)


def require(name: str, value: float, *, above: float | None = None, at_least: float | None = None) -> None:
    if not math.isfinite(value):
        raise InputError(f"{name} is {value}, but must be a finite number")
    if above is not None and not value > above:
        raise InputError(f"{name} is {value}, but must be greater than {above:g}")
    if at_least is not None and not value >= at_least:
        raise InputError(f"{name} is {value}, but must be at least {at_least:g}")
