"""Explorer kind `md`: molecular dynamics until the potential would have to guess."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from ase import Atoms
from pydantic import Field, model_validator

from alflow.explorers.protocol import Column, ExplorerSettings, Host, Outcome, OutcomeState, Run
from alflow.potentials import PotentialCalculator
from alflow.settings import Name, Section
from alflow.simulation import Checkpoint, Guards, MDResult, MDSettings, run_md

PASS_SEED_STEP = 1_000_003  # passes over the same run differ in their seeds
SHOWN_EVERY_S = 1.0

Temperature = Annotated[float, Field(ge=1, le=20_000)]
Pressure = Annotated[float, Field(ge=-50, le=1000)]


class MDExplorerSettings(ExplorerSettings):
    """Molecular-dynamics runs: all combinations of structures, temperatures, pressures and replicas."""

    kind: Literal["md"] = Field(default="md", description="molecular dynamics")
    structure: Name | list[Name] = Field(description="starting structure, or several")
    ensemble: Literal["nve", "nvt", "npt"] = Field(default="nvt", description="ensemble")
    temperature_K: Temperature | list[Temperature] = Field(description="temperature, K, or several")
    pressure_GPa: Pressure | list[Pressure] = Field(
        default=0.0, description="pressure (npt), GPa, or several"
    )
    timestep_fs: float = Field(default=1.0, ge=0.05, le=10, description="time step, fs")
    duration_ps: float | None = Field(default=None, gt=0, le=1_000_000, description="length, ps")
    steps: int | None = Field(default=None, ge=1, le=10**10, description="or length in steps")
    friction_per_fs: float = Field(default=0.01, ge=1e-5, le=1, description="Langevin friction (nvt), 1/fs")
    replicas: int = Field(default=1, ge=1, le=1000, description="runs that differ in their seed only")
    seed: int = Field(default=0, ge=0, description="seed of the first replica's velocities and thermostat")
    guards: Guards = Field(default=Guards(), description="where to pause although the grade is fine")

    @model_validator(mode="after")
    def _one_length(self) -> MDExplorerSettings:
        if (self.duration_ps is None) == (self.steps is None):
            raise ValueError(f"explorer {self.name!r} needs either `duration_ps` or `steps`, and not both")
        return self

    def structure_names(self) -> list[str]:
        return _as_list(self.structure)

    @property
    def step_count(self) -> int:
        """Length in steps, at least one."""
        if self.duration_ps is None:
            return self.steps or 1
        return max(1, round(1000 * self.duration_ps / self.timestep_fs))


class MDRunSettings(Section):
    """One run, all lists resolved."""

    structure: str
    ensemble: Literal["nve", "nvt", "npt"]
    temperature_K: float
    pressure_GPa: float
    timestep_fs: float
    steps: int
    friction_per_fs: float
    seed: int
    guards: Guards


class MDExplorer:
    """Molecular dynamics under grade control (`alflow.simulation.run_md`)."""

    Settings = MDExplorerSettings
    RunSettings = MDRunSettings
    columns = (
        Column("temperature_K", "temperature (K)"),
        Column("energy_eV", "potential energy (eV)"),
        Column("volume_A3", "volume (Å³)"),
    )
    follows_potential = False

    def progress(self, settings: MDRunSettings, step: int) -> tuple[float, str]:
        """Simulated time."""
        return step * settings.timestep_fs / 1000, "ps"

    def check(self, settings: MDExplorerSettings) -> None:
        """Everything is checked by the schema."""

    def runs(
        self, settings: MDExplorerSettings, structures: Mapping[str, Atoms], species: Sequence[str]
    ) -> list[Run]:
        """All combinations, in the order of the lists."""
        axes = [_as_list(getattr(settings, key)) for key in ("structure", "temperature_K", "pressure_GPa")]
        runs = []
        for structure, temperature_K, pressure_GPa in itertools.product(*axes):
            for replica in range(settings.replicas):
                parts = [settings.name]
                parts += [structure] if len(axes[0]) > 1 else []
                parts += [f"{temperature_K:g}K"] if len(axes[1]) > 1 else []
                parts += [f"{pressure_GPa:g}GPa"] if len(axes[2]) > 1 else []
                parts += [str(replica + 1)] if settings.replicas > 1 else []
                plan = MDRunSettings(
                    structure=structure,
                    temperature_K=temperature_K,
                    pressure_GPa=pressure_GPa,
                    steps=settings.step_count,
                    seed=settings.seed + replica,
                    **settings.model_dump(include={"ensemble", "timestep_fs", "friction_per_fs"}),
                    guards=settings.guards,
                )
                runs.append(Run("-".join(parts), plan, [structures[structure]], plan.steps))
        return runs

    def run(
        self,
        settings: MDRunSettings,
        start: Sequence[Atoms],
        checkpoint: Mapping[str, Any] | None,
        calculator: PotentialCalculator,
        host: Host,
    ) -> Outcome:
        """Run on, storing a checkpoint now and then and at the end."""
        shown = time.monotonic()

        def save(result: MDResult) -> None:
            done = result.state == "finished"
            host.save_progress(
                result.checkpoint.to_dict(),
                step=settings.steps if done else result.checkpoint.step,
                history=result.history,
            )

        def show(step: int, _: dict[str, Any]) -> None:
            nonlocal shown
            if time.monotonic() - shown > SHOWN_EVERY_S:
                shown = time.monotonic()
                host.show_progress(step)

        result = run_md(
            start[0] if checkpoint is None else Checkpoint.from_dict(dict(checkpoint)),
            calculator,
            _md_settings(settings, host.pass_number),
            control=host.control,
            guards=settings.guards,
            frames=host.frames,
            on_progress=show,
            on_checkpoint=save,
            stop_requested=host.stop_requested,
        )
        save(result)
        state = OutcomeState.FINISHED if result.state == "finished" else OutcomeState.PAUSED
        return Outcome(state, result.reason)


def _md_settings(plan: MDRunSettings, pass_number: int) -> MDSettings:
    return MDSettings(
        ensemble=plan.ensemble,
        temperature_K=plan.temperature_K,
        pressure_GPa=plan.pressure_GPa,
        timestep_fs=plan.timestep_fs,
        steps=plan.steps,
        friction_per_fs=plan.friction_per_fs,
        seed=plan.seed + pass_number * PASS_SEED_STEP,
    )


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


EXPLORER = MDExplorer()
