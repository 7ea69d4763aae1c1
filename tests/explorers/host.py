"""A host in memory, and the loop around it: what an engine does with an explorer, in forty lines."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from alflow.explorers import Explorer, Outcome, OutcomeState, Run
from alflow.potentials import FitSettings, PotentialCalculator
from alflow.potentials.registry import POTENTIALS
from alflow.selection import ActiveSet, fingerprint, select
from alflow.simulation import CandidateFrames, GradeControl


class Killed(BaseException):
    """As kill -9: no explorer can catch it."""


@dataclass
class MemoryHost:
    """Keeps everything in memory; dies at save number `kill_at`, before anything is stored."""

    control: GradeControl = field(default_factory=GradeControl)
    version: int = 1
    pass_number: int = 0
    kill_at: int | None = None
    patience: int = 10**9
    checkpoint: dict[str, Any] | None = None
    step: int = 0
    history: dict[str, NDArray[Any]] = field(default_factory=dict)
    saves: int = 0

    def __post_init__(self) -> None:
        self.frames = CandidateFrames(self.control.max_saved)

    def save_frame(self, atoms: Atoms, extrapolation_grade: float, step: int) -> None:
        self.frames.offer(atoms, step, extrapolation_grade)

    def visit(self, atoms: Atoms, step: int, extrapolation_grade: float) -> None: ...

    def save_progress(
        self, checkpoint: Mapping[str, Any], *, step: int, history: Mapping[str, NDArray[Any]]
    ) -> None:
        self.saves += 1
        if self.saves == self.kill_at:
            raise Killed
        self.checkpoint, self.step, self.history = copy.deepcopy(dict(checkpoint)), step, dict(history)

    def show_progress(self, step: int) -> None: ...

    def stop_requested(self) -> bool:
        self.patience -= 1
        return self.patience < 0


def call(explorer: Explorer, run: Run, calculator: Any, host: MemoryHost) -> Outcome:
    """One call of a run in a new process: from what the host has stored."""
    host.frames = CandidateFrames(host.control.max_saved)
    host.saves = 0
    return explorer.run(run.settings, run.start, host.checkpoint, calculator, host)


def call_although_killed(
    explorer: Explorer, run: Run, calculator: Any, host: MemoryHost
) -> tuple[Outcome, int]:
    """The same, killed at its first save, again at its second, and so on; and how often that was."""
    for kills in range(100):
        host.kill_at = kills + 1
        try:
            outcome = call(explorer, run, calculator, host)
        except Killed:
            continue
        host.kill_at = None
        return outcome, kills
    raise AssertionError("it never comes to its end")


def labelled(atoms: Atoms, make: Callable[[], Any] = EMT) -> Atoms:
    """The structure with energy, forces and stress."""
    found = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    found.calc = make()
    results = {"energy": found.get_potential_energy(), "forces": found.get_forces()}
    if found.pbc.all():
        results["stress"] = found.get_stress()
    found.calc = SinglePointCalculator(found, **results)
    return found


class Campaign:
    """Labels by EMT, fits, and runs one run until it is finished."""

    def __init__(
        self, explorer: Explorer, run: Run, species: Sequence[str], initial: Sequence[Atoms], level: int = 6
    ) -> None:
        self.explorer, self.run, self.species = explorer, run, list(species)
        self.kind = POTENTIALS.get("mtp")
        self.form = self.kind.Settings(level=level, cutoff_A=5.0)
        self.host = MemoryHost(version=0)
        self.structures: list[Atoms] = []
        self.potential: Any = None
        self.outcome: Outcome | None = None
        self.learn(initial)

    def learn(self, frames: Sequence[Atoms]) -> None:
        """Label and refit."""
        self.structures += [labelled(frame) for frame in frames]
        result = self.kind.fit(
            self.structures,
            species=self.species,
            form=self.form,
            settings=FitSettings(max_iterations=60),
            start=self.potential,
        )
        self.potential = result.potential
        active_set = ActiveSet.from_structures(self.potential, self.structures, "neighborhood")
        self.calculator = PotentialCalculator(self.potential, active_set=active_set)
        self.host.version += 1

    def to_the_end(self, rounds: int = 40, labels_per_round: int = 4) -> Outcome:
        """Explore and learn in turn."""
        for _ in range(rounds):
            outcome = call(self.explorer, self.run, self.calculator, self.host)
            if outcome.state == OutcomeState.FINISHED:
                self.outcome = outcome
                return outcome
            frames = self.host.frames.all()
            assert frames, outcome.reason
            chosen = select(
                self.potential,
                self.calculator.active_set,
                frames,
                labels_per_round,
                known=[fingerprint(atoms) for atoms in self.structures],
                gamma_select=self.host.control.gamma_save,
            ).chosen
            assert chosen, outcome.reason
            self.learn([frames[place] for place in chosen])
        raise AssertionError(f"not finished: {outcome.reason}")


def displaced(atoms: Atoms, count: int, seed: int = 0) -> list[Atoms]:
    """Displaced and strained copies."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        copied = atoms.copy()
        strain = random.uniform(-0.03, 0.03, (3, 3))
        copied.set_cell(copied.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        copied.positions += random.normal(scale=0.08, size=copied.positions.shape)
        found.append(copied)
    return found
