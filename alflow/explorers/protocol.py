"""Interfaces of an explorer: its settings, its runs and its host.

An explorer moves atoms with the current potential until it is done, or until the potential extrapolates too
far. It knows neither the database nor FireWorks; it reaches them only through its `Host`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from pydantic import Field

from alflow.potentials import PotentialCalculator
from alflow.settings import Name, Section
from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.settings import GradeControl


class ExplorerSettings(Section):
    """An entry of `explorers` in a campaign file. Each kind adds its own keys."""

    name: Name = Field(description="name in status, dashboard and report")
    kind: str = Field(description="kind of explorer")

    def structure_names(self) -> list[str]:
        """Names of the starting structures that the explorer uses."""
        return []

    def resolved(self, folder: Path) -> ExplorerSettings:
        """The same settings with all paths relative to this folder resolved."""
        return self

    def paths(self) -> list[str]:
        """Files and folders that the settings name."""
        return []

    def described(self) -> str:
        """A sentence for the methods section of a paper; works are cited by the keys of their references."""
        return f"Configurations were explored by runs of kind {self.kind} ({self.name})."


@dataclass(frozen=True)
class Trajectory:
    """The frames of a run that are kept.

    Attributes
    ----------
    every
        Steps between frames.
    velocities
        Whether frames have momenta.
    """

    every: int
    velocities: bool = False


@dataclass(frozen=True)
class Run:
    """One run of an explorer, with all lists of its settings resolved.

    Attributes
    ----------
    name
        The explorer's name, followed by a part that distinguishes the run from its other runs.
    settings
        An object of the explorer's `RunSettings`, which identifies the run, apart from its `changeable`
        fields. It is stored, and compared when the user submits an edited campaign file.
    start
        Starting structures.
    length
        Steps (or the unit that the kind counts) until the run is done; None if unknown.
    trajectory
        Which of the configurations passed to `Host.visit` are kept as a trajectory; None: none.
    """

    name: str
    settings: Section
    start: list[Atoms]
    length: int | None
    trajectory: Trajectory | None = None


@dataclass(frozen=True)
class Column:
    """A column of the history that a kind of explorer records.

    Attributes
    ----------
    name
        Key of the history, with the unit: ``temperature_K``.
    label
        Label of the axis, with the unit: ``temperature (K)``.
    per_atom
        Whether the column is shown divided by the number of atoms; the label then says so.
    targets
        Function that gives the target values of a run with these `RunSettings`, at its beginning and at its
        end, for a line in the figure. It returns None for a run without targets.
    """

    name: str
    label: str
    per_atom: bool = False
    targets: Callable[[Any], tuple[float, float] | None] | None = None


class OutcomeState(StrEnum):
    """Final state of a call of `Explorer.run`."""

    FINISHED = "finished"
    PAUSED = "paused"


@dataclass(frozen=True)
class Outcome:
    """Outcome of a call of `Explorer.run`.

    Attributes
    ----------
    state
        Final state of the call.
    reason
        Why the run paused, in one sentence; empty otherwise.
    results
        Plain values for the user, with the unit in the name: ``{"barrier_eV": 0.69}``. They replace those of
        earlier calls.
    structures
        Resulting structures, such as relaxed ones.
    """

    state: OutcomeState
    reason: str = ""
    results: dict[str, Any] = field(default_factory=dict)
    structures: Sequence[Atoms] = ()


class Host(Protocol):
    """Services that the caller provides to an explorer."""

    @property
    def control(self) -> GradeControl:
        """Thresholds of the extrapolation grade."""
        ...

    @property
    def version(self) -> int:
        """Version of the potential; it grows with every refit."""
        ...

    @property
    def pass_number(self) -> int:
        """Number of earlier passes, in which the run finished; passes should differ in their seeds."""
        ...

    @property
    def frames(self) -> CandidateFrames:
        """The candidate frames of this call, which the simulations of `alflow.simulation` fill."""
        ...

    def visit(self, atoms: Atoms, step: int, extrapolation_grade: float) -> None:
        """Show a configuration that the run has passed; the host may keep a copy (trajectory, samples).

        An explorer calls this for each configuration from its checkpoint on, in the order of steps; the call
        is cheap. Configurations after the next checkpoint are repeated if the run resumes from there. The
        grade may be NaN.
        """
        ...

    def save_frame(self, atoms: Atoms, extrapolation_grade: float, step: int) -> None:
        """Keep a frame as a candidate for a label. Frames of one run may differ in species and size."""
        ...

    def save_progress(
        self, checkpoint: Mapping[str, Any], *, step: int, history: Mapping[str, NDArray[np.generic]]
    ) -> None:
        """Store the checkpoint, the frames so far and the history of this call; a killed run resumes from it.

        Parameters
        ----------
        checkpoint
            Nested dicts and lists of NumPy arrays and plain values; the next call of `Explorer.run` gets it.
        step
            Progress of the run, in the units of `Run.length`.
        history
            The explorer's columns, ``step`` and ``extrapolation_grade``, as arrays of equal length.
        """
        ...

    def show_progress(self, step: int) -> None:
        """Show the progress of the run. This takes little time and has no effect on the run."""
        ...

    def stop_requested(self) -> bool:
        """Whether the run should stop as soon as it can; it then returns a paused `Outcome`."""
        ...


class Explorer(Protocol):
    """A kind of explorer; one object per kind, without state."""

    Settings: type[ExplorerSettings]
    RunSettings: type[Section]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the history in addition to ``step`` and ``extrapolation_grade``."""
        ...

    def progress(self, settings: Any, step: int) -> tuple[float, str]:
        """Progress of a run with these `RunSettings` at a step, and its unit: ``(0.5, "ps")``."""
        ...

    @property
    def follows_potential(self) -> bool:
        """Whether a finished run is repeated from its checkpoint after every refit of the potential.

        True if the result is a number (a relaxed energy, a barrier); false if the run only visits
        configurations.
        """
        ...

    @property
    def changeable(self) -> tuple[str, ...]:
        """Fields of `RunSettings` that may change in a run that has begun; all others identify the run.

        A kind without this attribute has none.
        """
        ...

    def goes_on(self, old: Any, new: Any) -> bool:
        """Whether a finished run has further to go if its `RunSettings` change from `old` to `new`.

        Only `changeable` fields differ; a kind without any needs no such method.

        Raises
        ------
        InputError
            If a run that has begun cannot take on the new settings; one sentence that says what it can.
        """
        ...

    def check(self, settings: Any) -> None:
        """Check the settings beyond the schema, before the campaign begins.

        Raises
        ------
        InputError
            If the settings cannot be run.
        """
        ...

    def runs(self, settings: Any, structures: Mapping[str, Atoms], species: Sequence[str]) -> list[Run]:
        """All runs of an entry.

        Parameters
        ----------
        settings
            An object of `Settings`.
        structures
            The campaign's starting structures by name.
        species
            The campaign's species.
        """
        ...

    def run(
        self,
        settings: Any,
        start: Sequence[Atoms],
        checkpoint: Mapping[str, Any] | None,
        calculator: PotentialCalculator,
        host: Host,
    ) -> Outcome:
        """Begin or resume a run, and go on until it is done or the potential extrapolates too far.

        Parameters
        ----------
        settings
            An object of `RunSettings`.
        start
            Starting structures, as `runs` gave them.
        checkpoint
            The last checkpoint passed to `Host.save_progress`, or None at the beginning.
        calculator
            Calculator of the newest potential, with grades.

        Notes
        -----
        The same arguments must give the same outcome, because a killed call is repeated from the last
        checkpoint.
        """
        ...
