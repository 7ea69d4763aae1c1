"""Explorer kind `md`: molecular dynamics until the potential extrapolates too far."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from ase import Atoms
from pydantic import Discriminator, Field, Tag, model_validator

from alflow.errors import InputError
from alflow.explorers.protocol import (
    Column,
    ExplorerSettings,
    Host,
    Outcome,
    OutcomeState,
    Run,
    Trajectory,
)
from alflow.potentials import PotentialCalculator
from alflow.settings import Name
from alflow.simulation import Checkpoint, Guards, MDResult, MDSettings, run_md
from alflow.simulation.md import check_guards
from alflow.simulation.ramps import Pressure, PressureRamp, Ramp, Temperature, TemperatureRamp, ends
from alflow.simulation.settings import MDMethod

PASS_SEED_STEP = 1_000_003  # passes over the same run differ in their seeds by this
SAVED_EVERY_S = 5.0

ENSEMBLES = {
    "nve": "the microcanonical ensemble (velocity Verlet)",
    "nvt": "the canonical ensemble (Langevin dynamics in the BAOAB splitting [Leimkuhler2013])",
    "npt": "the isothermal–isobaric ensemble (Langevin dynamics in the BAOAB splitting [Leimkuhler2013], "
    "Langevin piston)",
}
"""Ensembles for the methods section of a paper."""

Target = TypeVar("Target")


def _form(value: Any) -> str:
    return "several" if isinstance(value, list) else "one"


OneOrMore = Annotated[
    Annotated[Target, Tag("one")] | Annotated[list[Target], Tag("several"), Field(min_length=1)],
    Discriminator(_form),
]


class MDExplorerSettings(MDMethod, ExplorerSettings):
    """Molecular-dynamics runs: all combinations of structures, temperatures, pressures and replicas."""

    kind: Literal["md"] = Field(default="md", description="molecular dynamics")
    structure: Name | list[Name] = Field(description="starting structure, or several")
    temperature_K: OneOrMore[Temperature] = Field(
        description="temperature, K, or a ramp {from, to} over the run, or several of both"
    )
    pressure_GPa: OneOrMore[Pressure] = Field(
        default=0.0, description="pressure (npt), GPa, or a ramp {from, to} over the run, or several of both"
    )
    duration_ps: float | None = Field(default=None, gt=0, le=1_000_000, description="length, ps")
    steps: int | None = Field(default=None, ge=1, le=10**10, description="or length in steps")
    replicas: int = Field(default=1, ge=1, le=1000, description="runs that differ in their seed only")
    seed: int = Field(
        default=0, ge=0, le=10**15, description="seed of the first replica's velocities and thermostat"
    )
    threads: int = Field(default=1, ge=1, le=1024, description="threads of each run")
    guards: Guards = Field(default=Guards(), description="limits at which the run pauses whatever its grade")
    trajectory_every_ps: float | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        description="time between frames of the trajectory that is kept, ps; default: none is kept",
    )
    trajectory_velocities: bool = Field(
        default=False, description="whether the frames have velocities, which doubles their size"
    )

    @model_validator(mode="after")
    def _one_length(self) -> MDExplorerSettings:
        if (self.duration_ps is None) == (self.steps is None):
            raise ValueError(f"explorer {self.name!r} needs either `duration_ps` or `steps`, and not both")
        return self

    def structure_names(self) -> list[str]:
        """Names of the starting structures."""
        return _as_list(self.structure)

    @property
    def trajectory(self) -> Trajectory | None:
        """The frames that are kept, with times as whole numbers of steps."""
        if self.trajectory_every_ps is None:
            return None
        every = max(1, round(1000 * self.trajectory_every_ps / self.timestep_fs))
        return Trajectory(every, self.trajectory_velocities)

    def described(self) -> str:
        """Ensemble, targets, time step and length, for the methods section of a paper."""
        targets = f"{_several(self.temperature_K)} K"
        details = [f"time step {self.timestep_fs:g} fs"]
        if self.ensemble != "nve":
            details.append(f"friction {self.friction_per_fs:g} 1/fs")
        if self.ensemble == "npt":
            targets += f" and {_several(self.pressure_GPa)} GPa"
            details.append(f"barostat time {self.barostat_time_fs:g} fs")
        details.append(f"{self.step_count * self.timestep_fs / 1000:g} ps per run")
        return (
            f"Configurations were explored by molecular dynamics in {ENSEMBLES[self.ensemble]} at {targets} "
            f"({', '.join(details)})."
        )

    @property
    def step_count(self) -> int:
        """Length in steps, at least one."""
        if self.duration_ps is None:
            return self.steps or 1
        return max(1, round(1000 * self.duration_ps / self.timestep_fs))


def _several(targets: Any) -> str:
    """One or more temperatures or pressures, which may be ramps, in words."""
    return " and ".join(
        f"{target.start:g} to {target.end:g}" if isinstance(target, Ramp) else f"{target:g}"
        for target in (targets if isinstance(targets, list) else [targets])
    )


class MDRunSettings(MDSettings):
    """One run with all lists resolved; keys that earlier releases did not store take their defaults."""

    structure: str = Field(description="name of the starting structure")
    threads: int = Field(default=1, description="threads of the potential")
    guards: Guards = Field(description="limits at which the run pauses whatever its grade")


def _thermostat_K(settings: MDRunSettings) -> tuple[float, float] | None:
    """Target temperatures of the thermostat at the beginning and at the end of a run."""
    return None if settings.ensemble == "nve" else ends(settings.temperature_K)


class MDExplorer:
    """Molecular dynamics under grade control (`alflow.simulation.run_md`)."""

    Settings = MDExplorerSettings
    RunSettings = MDRunSettings
    columns = (
        Column("temperature_K", "temperature (K)", targets=_thermostat_K),
        Column("energy_eV", "potential energy (eV per atom)", per_atom=True),
        Column("volume_A3", "volume (Å³ per atom)", per_atom=True),
    )
    follows_potential = False
    changeable = ("steps", "threads", "grade_every", "guards")

    def goes_on(self, old: MDRunSettings, new: MDRunSettings) -> bool:
        """A run can become longer, unless a ramp over its length would then change what has passed."""
        if new.steps == old.steps:
            return False
        then, now = (f"{self.progress(s, s.steps)[0]:g} ps" for s in (old, new))
        if new.steps < old.steps:
            raise InputError(f"its length of {then} cannot become {now}; a run can only become longer")
        if isinstance(old.temperature_K, Ramp) or isinstance(old.pressure_GPa, Ramp):
            raise InputError(
                f"its ramp extends over its length, so {now} instead of {then} would change what has passed; "
                "add an explorer for the longer ramp"
            )
        return True

    def progress(self, settings: MDRunSettings, step: int) -> tuple[float, str]:
        """Simulated time."""
        return step * settings.timestep_fs / 1000, "ps"

    def check(self, settings: MDExplorerSettings) -> None:
        """Check all combinations of ensemble, temperature, pressure and guards."""
        for temperature_K, pressure_GPa in itertools.product(
            _as_list(settings.temperature_K), _as_list(settings.pressure_GPa)
        ):
            try:
                check_guards(_md_settings(settings, temperature_K, pressure_GPa), settings.guards)
            except InputError as error:
                raise InputError(f"explorer {settings.name!r}: {error}") from None

    def runs(
        self, settings: MDExplorerSettings, structures: Mapping[str, Atoms], species: Sequence[str]
    ) -> list[Run]:
        """Runs of all combinations, in the order of the lists."""
        axes = [_as_list(getattr(settings, key)) for key in ("structure", "temperature_K", "pressure_GPa")]
        runs = []
        for structure, temperature_K, pressure_GPa in itertools.product(*axes):
            physics = _md_settings(settings, temperature_K, pressure_GPa)
            for replica in range(settings.replicas):
                parts = [settings.name]
                parts += [structure] if len(axes[0]) > 1 else []
                parts += [f"{_label(temperature_K)}K"] if len(axes[1]) > 1 else []
                parts += [f"{_label(pressure_GPa)}GPa"] if len(axes[2]) > 1 else []
                parts += [str(replica + 1)] if settings.replicas > 1 else []
                plan = MDRunSettings(
                    **dict(physics) | {"seed": settings.seed + replica},
                    structure=structure,
                    threads=settings.threads,
                    guards=settings.guards,
                )
                start = [structures[structure]]
                runs.append(Run("-".join(parts), plan, start, plan.steps, settings.trajectory))
        return runs

    def run(
        self,
        settings: MDRunSettings,
        start: Sequence[Atoms],
        checkpoint: Mapping[str, Any] | None,
        calculator: PotentialCalculator,
        host: Host,
    ) -> Outcome:
        """Run or resume; a checkpoint is stored from time to time and at the end."""

        def save(result: MDResult) -> None:
            done = result.state == "finished"
            host.save_progress(
                result.checkpoint.to_dict(),
                step=settings.steps if done else result.checkpoint.step,
                history=result.history,
            )

        saved = time.monotonic()

        def save_sometimes(result: MDResult) -> None:
            nonlocal saved
            if time.monotonic() - saved > SAVED_EVERY_S:
                save(result)
                saved = time.monotonic()

        def show(step: int, _: dict[str, Any]) -> None:
            host.show_progress(step)

        calculator.threads = settings.threads
        result = run_md(
            start[0] if checkpoint is None else Checkpoint.from_dict(dict(checkpoint)),
            calculator,
            settings.model_copy(update={"seed": settings.seed + host.pass_number * PASS_SEED_STEP}),
            control=host.control,
            guards=settings.guards,
            frames=host.frames,
            visit=host.visit,
            on_progress=show,
            on_checkpoint=save_sometimes,
            stop_requested=host.stop_requested,
        )
        save(result)
        state = OutcomeState.FINISHED if result.state == "finished" else OutcomeState.PAUSED
        return Outcome(state, result.reason)


def _md_settings(
    settings: MDExplorerSettings,
    temperature_K: float | TemperatureRamp,
    pressure_GPa: float | PressureRamp,
) -> MDSettings:
    """Settings of one combination."""
    method = {name: getattr(settings, name) for name in MDMethod.model_fields}
    return MDSettings(
        **method, temperature_K=temperature_K, pressure_GPa=pressure_GPa, steps=settings.step_count
    )


def _label(value: float | Ramp) -> str:
    """Label of a value in the names of runs: ``300``, ``300-1500``."""
    return f"{value.start:g}-{value.end:g}" if isinstance(value, Ramp) else f"{value:g}"


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


EXPLORER = MDExplorer()
