"""An explorer as a plug-in: displace atoms at random, farther and farther, until the potential guesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from ase import Atoms
from pydantic import Field

from alflow.explorers import Column, ExplorerSettings, Host, Outcome, OutcomeState, Run
from alflow.potentials import PotentialCalculator
from alflow.settings import Name, Section


class RattleSettings(ExplorerSettings):
    """An entry of the campaign file."""

    kind: Literal["rattle"] = Field(default="rattle", description="random displacements")
    structure: Name = Field(description="structure to displace")
    farthest_A: float = Field(default=0.3, gt=0, le=2, description="largest standard deviation, Å")
    count: int = Field(default=100, ge=1, le=100_000, description="displaced structures")

    def structure_names(self) -> list[str]:
        return [self.structure]


class RattleRun(Section):
    """A run, as it is stored."""

    farthest_A: float
    count: int


class RattleExplorer:
    """Random displacements under grade control."""

    Settings, RunSettings = RattleSettings, RattleRun
    columns = (Column("displacement_A", "displacement (Å)"),)
    follows_potential = False

    def progress(self, settings: RattleRun, step: int) -> tuple[float, str]:
        return float(step), "structures"

    def check(self, settings: RattleSettings) -> None: ...

    def runs(
        self, settings: RattleSettings, structures: Mapping[str, Atoms], species: Sequence[str]
    ) -> list[Run]:
        plan = RattleRun(farthest_A=settings.farthest_A, count=settings.count)
        return [Run(settings.name, plan, [structures[settings.structure]], settings.count)]

    def run(
        self,
        settings: RattleRun,
        start: Sequence[Atoms],
        checkpoint: Mapping[str, Any] | None,
        calculator: PotentialCalculator,
        host: Host,
    ) -> Outcome:
        step, rows, reason = checkpoint["step"] if checkpoint else 0, [], ""
        while step < settings.count and not reason:
            atoms, size_A = start[0].copy(), settings.farthest_A * (step + 1) / settings.count
            atoms.rattle(size_A, rng=np.random.default_rng((host.pass_number, step)))
            grade = calculator.get_property("extrapolation_grade", atoms)
            rows.append((step + 1, grade, size_A))
            if grade > host.control.gamma_save:
                host.save_frame(atoms, grade, step + 1)
            reason = f"γ is {grade:.3g} at {size_A:.3g} Å" if grade > host.control.gamma_break else ""
            step += not reason
        steps, grades, sizes = np.array(rows).reshape(-1, 3).T
        history = {"step": steps.astype(int), "extrapolation_grade": grades, "displacement_A": sizes}
        host.save_progress({"step": step}, step=step, history=history)
        return Outcome(OutcomeState.PAUSED if reason else OutcomeState.FINISHED, reason, {"count": step})


EXPLORER = RattleExplorer()
