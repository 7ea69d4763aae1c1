"""Explorer kind `neb`: the minimum-energy path between two structures, and its barrier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from ase import Atoms
from pydantic import Field, model_validator

from alflow.errors import InputError
from alflow.explorers.neb_run import NebRunSettings, PathRun, PathState
from alflow.explorers.protocol import Column, ExplorerSettings, Host, Outcome, Run
from alflow.explorers.vacancy import Vacancy, vacancy_hop
from alflow.potentials import PotentialCalculator
from alflow.settings import Name
from alflow.simulation.path import (
    Interpolation,
    nearest_to,
)
from alflow.simulation.settings import Guards

LEAST_MOVE_A = 0.1
CELL_TOLERANCE_A = 1e-6


class NebExplorerSettings(ExplorerSettings):
    """A minimum-energy path in a fixed cell, between two structures or for the hop of a vacancy."""

    kind: Literal["neb"] = Field(default="neb", description="minimum-energy path")
    initial: Name | None = Field(default=None, description="structure at the beginning")
    final: Name | None = Field(
        default=None, description="structure at the end: the same atoms in the same order and cell"
    )
    vacancy: Vacancy | None = Field(default=None, description="or the hop of a vacancy")
    images: int = Field(default=5, ge=1, le=99, description="images between the ends")
    climb: bool = Field(default=True, description="whether the highest image climbs to the saddle point")
    interpolation: Interpolation = Field(
        default="idpp", description="first path: idpp keeps atoms apart, linear is a straight line"
    )
    spring_eV_A2: float = Field(default=0.1, gt=0, le=100, description="springs between images, eV/Å²")
    max_force_eV_A: float = Field(
        default=0.02, gt=0, le=1, description="largest force on an atom of the path and its ends, eV/Å"
    )
    steps: int = Field(default=1000, ge=1, le=1_000_000, description="steps with one potential, at most")
    guards: Guards = Field(default=Guards(), description="limits at which the run pauses whatever its grade")

    @model_validator(mode="after")
    def _one_path(self) -> NebExplorerSettings:
        ends = [end for end in (self.initial, self.final) if end is not None]
        if (len(ends), self.vacancy is None) not in ((2, True), (0, False)):
            raise ValueError(f"explorer {self.name!r} needs either `initial` and `final`, or `vacancy`")
        return self

    def structure_names(self) -> list[str]:
        if self.vacancy is not None:
            return [self.vacancy.structure]
        return [name for name in (self.initial, self.final) if name is not None]


class NebExplorer:
    """A nudged elastic band under grade control (`alflow.simulation.path`)."""

    Settings = NebExplorerSettings
    RunSettings = NebRunSettings
    columns = (Column("barrier_eV", "barrier (eV)"), Column("max_force_eV_A", "largest force (eV/Å)"))
    follows_potential = True
    changeable = ("guards",)

    def goes_on(self, old: NebRunSettings, new: NebRunSettings) -> bool:
        """A finished run stays finished."""
        return False

    def progress(self, settings: NebRunSettings, step: int) -> tuple[float, str]:
        """Steps with all versions of the potential."""
        return float(step), "steps"

    def check(self, settings: NebExplorerSettings) -> None:
        """Do nothing: the schema and `runs` check everything."""

    def runs(
        self, settings: NebExplorerSettings, structures: Mapping[str, Atoms], species: Sequence[str]
    ) -> list[Run]:
        """One run."""
        if settings.vacancy is not None:
            vacancy = settings.vacancy
            initial, final = vacancy_hop(structures[vacancy.structure], vacancy)
        else:
            initial, final = (structures[name] for name in settings.structure_names())
            _require_same_atoms(settings, initial, final)
        plan = NebRunSettings(**{key: getattr(settings, key) for key in NebRunSettings.model_fields})
        return [Run(settings.name, plan, [initial, nearest_to(initial, final)], None)]

    def run(
        self,
        settings: NebRunSettings,
        start: Sequence[Atoms],
        checkpoint: Mapping[str, Any] | None,
        calculator: PotentialCalculator,
        host: Host,
    ) -> Outcome:
        """Relax the ends, then the path between them."""
        state = (
            PathState(np.array([a.positions for a in start]))
            if checkpoint is None
            else PathState(**checkpoint)
        )
        if state.version != host.version:
            state = replace(state, version=host.version, steps=0)
        return PathRun(settings, start[0], state, calculator, host).outcome()


def _require_same_atoms(settings: NebExplorerSettings, initial: Atoms, final: Atoms) -> None:
    what = f"explorer {settings.name!r}: structures {settings.initial!r} and {settings.final!r}"
    if len(initial) != len(final) or (initial.numbers != final.numbers).any():
        raise InputError(f"{what} must have the same atoms in the same order")
    if (initial.pbc != final.pbc).any() or np.abs(
        initial.cell.array - final.cell.array
    ).max() > CELL_TOLERANCE_A:
        raise InputError(f"{what} must have the same cell: a path does not change it")
    moves = np.linalg.norm(nearest_to(initial, final).positions - initial.positions, axis=1)
    if moves.max() < LEAST_MOVE_A:
        raise InputError(f"{what} are the same: no atom moves by {LEAST_MOVE_A:g} Å")


EXPLORER = NebExplorer()
