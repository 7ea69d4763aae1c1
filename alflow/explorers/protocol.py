"""What every explorer is from outside: its settings, its runs, and how a run goes on.

An explorer moves atoms with the potential of the moment until it is done, or until the potential would have
to guess. It knows neither the database nor FireWorks: what it needs of them is its `Host`.
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
        """Names of the starting structures that it refers to."""
        return []

    def resolved(self, folder: Path) -> ExplorerSettings:
        """The same with all paths taken from this folder."""
        return self

    def paths(self) -> list[str]:
        """Files and folders that it names."""
        return []


@dataclass(frozen=True)
class Run:
    """One run of an explorer, all lists of its settings resolved.

    Attributes
    ----------
    name
        The explorer's name, and behind it what tells the run from its others.
    settings
        An object of the explorer's `RunSettings`: the run's identity. It is stored, and compared when an
        edited campaign file is submitted.
    start
        Structures that it begins with.
    length
        Steps (or whatever the kind counts) until it is done; None if that is not known.
    """

    name: str
    settings: Section
    start: list[Atoms]
    length: int | None


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
        Whether it is shown divided by the number of atoms; the label then says so.
    targets
        What a run of these `RunSettings` aims at, at its beginning and at its end, for a line in the figure;
        it returns None for a run without such an aim.
    """

    name: str
    label: str
    per_atom: bool = False
    targets: Callable[[Any], tuple[float, float] | None] | None = None


class OutcomeState(StrEnum):
    """How a call of `Explorer.run` ended."""

    FINISHED = "finished"
    PAUSED = "paused"


@dataclass(frozen=True)
class Outcome:
    """What a call of `Explorer.run` came to.

    Attributes
    ----------
    state
    reason
        Why it paused, in one sentence; empty otherwise.
    results
        Plain values that a person wants to see, with the unit in the name: ``{"barrier_eV": 0.69}``. Those of
        the last call stand.
    structures
        Structures that are results, such as relaxed ones.
    """

    state: OutcomeState
    reason: str = ""
    results: dict[str, Any] = field(default_factory=dict)
    structures: Sequence[Atoms] = ()


class Host(Protocol):
    """What an explorer needs of whoever runs it."""

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
        """How often the run was finished and begun anew before; passes should differ in their seeds."""
        ...

    @property
    def frames(self) -> CandidateFrames:
        """The candidate frames of this call, which the simulations of `alflow.simulation` fill."""
        ...

    def save_frame(self, atoms: Atoms, extrapolation_grade: float, step: int) -> None:
        """Keep a frame as a candidate for a label. Frames of one run may differ in species and size."""
        ...

    def save_progress(
        self, checkpoint: Mapping[str, Any], *, step: int, history: Mapping[str, NDArray[np.generic]]
    ) -> None:
        """Store the checkpoint, the frames so far and the history of this call; a killed run goes on here.

        Parameters
        ----------
        checkpoint
            Nested dicts and lists of NumPy arrays and plain values; what `Explorer.run` is given next time.
        step
            How far the run is, in the units of `Run.length`.
        history
            The explorer's columns, and ``step`` and ``extrapolation_grade``, as arrays of one length.
        """
        ...

    def show_progress(self, step: int) -> None:
        """Show how far the run is. Cheap; nothing depends on it."""
        ...

    def stop_requested(self) -> bool:
        """Whether the run should end at the next occasion; it then returns a paused `Outcome`."""
        ...


class Explorer(Protocol):
    """A kind of explorer; one object per kind, without state."""

    Settings: type[ExplorerSettings]
    RunSettings: type[Section]

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the history holds beside ``step`` and ``extrapolation_grade``."""
        ...

    def progress(self, settings: Any, step: int) -> tuple[float, str]:
        """How far a run (of these `RunSettings`) is at a step, and the unit: ``(0.5, "ps")``."""
        ...

    @property
    def follows_potential(self) -> bool:
        """Whether a finished run is run again with its checkpoint whenever the potential has been refitted.

        True where the result is a number (a relaxed energy, a barrier), false where it is what was visited.
        """
        ...

    def check(self, settings: Any) -> None:
        """Find what can be wrong beyond the schema, before the campaign begins. Raises InputError."""
        ...

    def runs(self, settings: Any, structures: Mapping[str, Atoms], species: Sequence[str]) -> list[Run]:
        """The runs that an entry multiplies to, in an order that never changes.

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
        """Begin a run, or go on from a checkpoint, until it is done or the potential would have to guess.

        Parameters
        ----------
        settings
            An object of `RunSettings`.
        start
            As `runs` gave it.
        checkpoint
            What `Host.save_progress` was given last, or None at the beginning.
        calculator
            Of the newest potential, with grades.

        The same arguments give the same outcome: a killed call is repeated from the last checkpoint.
        """
        ...
