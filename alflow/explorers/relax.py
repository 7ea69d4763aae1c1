"""Explorer kind `relax`: relaxation of given structures in batches, until no minimum is extrapolative.

Every version of the potential relaxes every structure again from its start. So the result is that of a fresh
relaxation with the final potential, independent of earlier versions.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from pydantic import Field, model_validator

from alflow.errors import InputError
from alflow.explorers.protocol import Column, ExplorerSettings, Host, Outcome, OutcomeState, Run
from alflow.explorers.relaxed import Relaxed, State, judged
from alflow.potentials import FlatStructures, PotentialCalculator
from alflow.settings import Name, Section
from alflow.simulation import BatchPotential, GradedPotential, Guards, Relaxation, relax_batch
from alflow.simulation.rattled import rattled
from alflow.structures.collections import named_structures

PORTION = 20
"""Structures that are relaxed together; a killed call is repeated from the beginning of its portion."""
SAVED_EVERY_S = 5.0

Pressure = Annotated[float, Field(ge=-50, le=1000)]


class RelaxExplorerSettings(ExplorerSettings):
    """Relaxations of structures from the campaign file, from other files, or from both."""

    kind: Literal["relax"] = Field(default="relax", description="relaxation of given structures")
    structures: Name | list[Name] = Field(default=[], description="starting structures by name")
    files: str | list[str] = Field(
        default=[],
        description="files, and folders of files; all their structures are relaxed; relative to the "
        "campaign file",
    )
    cell: bool = Field(
        default=True, description="whether the cell relaxes too; false for slabs and molecules"
    )
    pressure_GPa: Pressure = Field(default=0.0, description="pressure on the cell, GPa")
    relaxation: Relaxation = Field(default=Relaxation(), description="limits of a converged relaxation")
    guards: Guards = Field(default=Guards(), description="limits at which a structure is set aside")
    per_run: int = Field(
        default=100, ge=1, le=1000, description="structures of one run; runs share the workers"
    )

    @model_validator(mode="after")
    def _consistent(self) -> RelaxExplorerSettings:
        if not self.structures and not self.files:
            raise ValueError(f"explorer {self.name!r} needs `structures` or `files`")
        if self.pressure_GPa and not self.cell:
            raise ValueError(
                f"explorer {self.name!r} has pressure_GPa = {self.pressure_GPa:g}, but its cells are fixed; "
                "use `cell: true`"
            )
        return self

    def structure_names(self) -> list[str]:
        return _as_list(self.structures)

    def resolved(self, folder: Path) -> RelaxExplorerSettings:
        return self.model_copy(update={"files": [str(folder / file) for file in _as_list(self.files)]})

    def paths(self) -> list[str]:
        return _as_list(self.files)


class RelaxRunSettings(Section):
    """A portion of the structures of an entry."""

    names: list[str]
    fixed: list[list[int]] = Field(description="atoms of each structure that do not move, counted from 0")
    cell: bool
    pressure_GPa: float
    relaxation: Relaxation
    guards: Guards


class RelaxExplorer:
    """Relaxation of many structures under grade control (`alflow.simulation.relax_batch`)."""

    Settings = RelaxExplorerSettings
    RunSettings = RelaxRunSettings
    columns = (Column("energy_eV_per_atom", "energy (eV/atom)"), Column("relaxation_steps", "steps"))
    follows_potential = True
    changeable = ("guards",)

    def goes_on(self, old: RelaxRunSettings, new: RelaxRunSettings) -> bool:
        """A finished run stays finished."""
        return False

    def progress(self, settings: RelaxRunSettings, step: int) -> tuple[float, str]:
        """Number of structures that are done."""
        return float(step), "structures"

    def check(self, settings: RelaxExplorerSettings) -> None:
        """Check that the files can be read."""
        named_structures(settings.paths())

    def runs(
        self, settings: RelaxExplorerSettings, structures: Mapping[str, Atoms], species: Sequence[str]
    ) -> list[Run]:
        """Runs of `per_run` structures each: first the structures given by name, then those from files."""
        found = [(name, structures[name]) for name in settings.structure_names()]
        found += named_structures(settings.paths(), species)
        _require_unique(name for name, _ in found)
        portions = list(_portions(found, settings.per_run))
        runs = []
        for number, portion in enumerate(portions, start=1):
            plan = RelaxRunSettings(
                names=[name for name, _ in portion],
                fixed=[_fixed_atoms(name, atoms, settings.cell) for name, atoms in portion],
                cell=settings.cell,
                pressure_GPa=settings.pressure_GPa,
                relaxation=settings.relaxation,
                guards=settings.guards,
            )
            name = settings.name if len(portions) == 1 else f"{settings.name}-{number}"
            runs.append(Run(name, plan, [atoms for _, atoms in portion], len(portion)))
        return runs

    def run(
        self,
        settings: RelaxRunSettings,
        start: Sequence[Atoms],
        checkpoint: Mapping[str, Any] | None,
        calculator: PotentialCalculator,
        host: Host,
    ) -> Outcome:
        """Relax all structures that the newest potential has not relaxed yet."""
        start = [_with_fixed(*pair) for pair in zip(start, settings.fixed, strict=True)]
        stored = [Relaxed(**entry) for entry in (checkpoint or {"relaxed": []})["relaxed"]]
        relaxed = [entry for entry in stored if entry.version == host.version]
        potential = GradedPotential(calculator.potential, calculator.active_set, threads=calculator.threads)
        _save_frames(host, potential, start, relaxed)
        saved = time.monotonic()
        known = {entry.place for entry in relaxed}
        stopped = False
        for places in _portions(range(len(start)), PORTION):
            if known.issuperset(places):
                continue
            results = list(
                relax_batch(
                    [start[place] for place in places],
                    potential,
                    settings=settings.relaxation,
                    cell=settings.cell,
                    pressure_GPa=settings.pressure_GPa,
                    control=host.control,
                    guards=settings.guards,
                    stop_requested=host.stop_requested,
                )
            )
            if stopped := any(result.state == "interrupted" for result in results):
                break
            results.sort(key=lambda result: result.index)
            new = [judged(places[r.index], r, host, settings.guards) for r in results]
            _save_frames(host, potential, start, new)
            relaxed += new
            if time.monotonic() - saved > SAVED_EVERY_S:
                _save(host, relaxed)
                saved = time.monotonic()
            host.show_progress(len(relaxed))
        _save(host, relaxed)
        return _outcome(settings, start, relaxed, host.version, stopped)


def _fixed_atoms(name: str, atoms: Atoms, cell: bool) -> list[int]:
    """Indices of the atoms that constraints fix; stored structures have no constraints."""
    for constraint in atoms.constraints:
        if not isinstance(constraint, FixAtoms):
            kind = type(constraint).__name__
            raise InputError(f"structure {name!r} has a {kind} constraint, but only FixAtoms is supported")
        if cell:
            raise InputError(
                f"structure {name!r} has fixed atoms, but its cell is to relax; use `cell: false`"
            )
    return sorted({int(index) for constraint in atoms.constraints for index in constraint.index})


def _with_fixed(atoms: Atoms, fixed: Sequence[int]) -> Atoms:
    atoms = atoms.copy()
    atoms.set_constraint(FixAtoms(list(fixed)) if fixed else None)
    return atoms


def _save_frames(
    host: Host, potential: BatchPotential, start: Sequence[Atoms], relaxed: Iterable[Relaxed]
) -> None:
    """Save the configurations at which structures paused, and rattled copies, also those of a killed call."""
    for entry in relaxed:
        if entry.state != State.PAUSED:
            continue
        frame = entry.atoms(start[entry.place], "")
        host.save_frame(frame, entry.extrapolation_grade, 2 * entry.place)
        copy = rattled(frame, (entry.version, entry.place))
        grades = potential(FlatStructures.of([copy])).grades
        if grades is not None and grades[0] > host.control.gamma_save:
            host.save_frame(copy, float(grades[0]), 2 * entry.place + 1)


def _save(host: Host, relaxed: Sequence[Relaxed]) -> None:
    host.save_progress(
        {"relaxed": [asdict(entry) for entry in relaxed]},
        step=len(relaxed),
        history={
            "step": np.array([entry.place + 1 for entry in relaxed], dtype=np.int64),
            "extrapolation_grade": np.array([entry.extrapolation_grade for entry in relaxed], dtype=float),
            "energy_eV_per_atom": np.array(
                [entry.energy_eV / len(entry.positions) for entry in relaxed], dtype=float
            ),
            "relaxation_steps": np.array([entry.steps for entry in relaxed], dtype=np.int64),
        },
    )


def _outcome(
    settings: RelaxRunSettings,
    start: Sequence[Atoms],
    relaxed: Sequence[Relaxed],
    version: int,
    stopped: bool,
) -> Outcome:
    counts = Counter(entry.state for entry in relaxed)
    results: dict[str, Any] = {"structures": len(start), "potential_version": version}
    results |= {state.value.replace(" ", "_"): counts[state] for state in State}
    structures = [entry.atoms(start[entry.place], settings.names[entry.place]) for entry in relaxed]
    if stopped:
        return Outcome(OutcomeState.PAUSED, "a stop was requested", results, structures)
    paused = [entry for entry in relaxed if entry.state == State.PAUSED]
    if not paused:
        return Outcome(OutcomeState.FINISHED, results=results, structures=structures)
    worst = max(paused, key=lambda entry: entry.extrapolation_grade)
    reason = f"{len(paused)} of {len(start)} structures paused; {settings.names[worst.place]}: {worst.reason}"
    return Outcome(OutcomeState.PAUSED, reason, results, structures)


def _portions(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def _require_unique(names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"two structures to relax have the name {twice[0]!r}; names must differ")


def _as_list(value: str | list[str]) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


EXPLORER = RelaxExplorer()
