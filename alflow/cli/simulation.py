"""Shared by `alflow md` and `alflow relax`: calculator, grade control, and the stop on Ctrl-C."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from alflow.cli.output import parse_species, print_note
from alflow.cli.progress_lines import LINE_EVERY_S, on_terminal, stamped
from alflow.errors import InputError

if TYPE_CHECKING:
    from alflow.potentials import Potential, PotentialCalculator
    from alflow.selection import ActiveSet
    from alflow.simulation import GradeControl

NOTE_INTERVAL_S = 5.0
NO_GRADES = (
    "this potential's file has no active set; give the training set with --train, "
    "an active set with --active-set, or a .almtp file"
)

PotentialArgument = Annotated[
    Path, typer.Argument(help="File of the potential, such as MLIP's .mtp or .almtp.")
]
SpeciesOption = Annotated[
    str | None, typer.Option(help="Elements of the types, e.g. Cu,Pd; for files that do not name them.")
]
TrainOption = Annotated[
    Path | None, typer.Option(help="Training set of the potential, from which grades are computed.")
]
ActiveSetOption = Annotated[
    Path | None,
    typer.Option(
        help="Active set of the potential (.npz, .almtp); default: that of a potential in a .almtp file."
    ),
]
ModeOption = Annotated[
    Literal["neighborhood", "configuration"],
    typer.Option(help="With --train: grade each atom, or the whole structure."),
]
GammaSaveOption = Annotated[float, typer.Option(help="Save frames above this grade.")]
GammaBreakOption = Annotated[float, typer.Option(help="Pause above this grade.")]
SavedOption = Annotated[
    Path | None, typer.Option(help="File for the frames above --gamma-save (.extxyz, .cfg).")
]
MinDistanceOption = Annotated[float, typer.Option(help="Pause when two atoms are closer than this, Å.")]
MaxVolumeChangeOption = Annotated[float, typer.Option(help="Pause when |V / V_start − 1| is larger.")]


def make_calculator(
    potential: Path,
    species: str | None,
    train: Path | None,
    active_set: Path | None,
    mode: Literal["neighborhood", "configuration"],
) -> PotentialCalculator:
    """The calculator of a potential; it grades structures if the training set or the active set is given.

    Raises
    ------
    InputError
        If a file cannot be read, both sources of grades are given, or the active set belongs to another
        potential.
    """
    from alflow.potentials import PotentialCalculator

    model, active = read_with_grades(potential, species, train, active_set, mode)
    return PotentialCalculator(model, active_set=active)


def read_with_grades(
    potential: Path,
    species: str | None,
    train: Path | None,
    active_set: Path | None,
    mode: Literal["neighborhood", "configuration"],
) -> tuple[Potential, ActiveSet | None]:
    """A potential and its active set: that of --active-set or --train, or else that of its own file.

    Raises
    ------
    InputError
        As in `make_calculator`.
    """
    from alflow.potentials import read_potential
    from alflow.selection import ActiveSet
    from alflow.selection.graded import read_active_set, read_graded
    from alflow.structures.files import read_structures

    if train and active_set:
        raise InputError("--train and --active-set are both given; grade control takes one of them")
    symbols = parse_species(species)
    if not train and not active_set:
        return read_graded(potential, symbols)
    model = read_potential(potential, symbols)
    if active_set:
        return model, read_active_set(active_set, model)
    assert train is not None
    known = read_structures(train, species=model.species)
    return model, ActiveSet.from_structures(model, known, mode)


def make_control(
    calculator: PotentialCalculator, gamma_save: float, gamma_break: float
) -> GradeControl | None:
    """Thresholds for a calculator with grades; None for one without."""
    from alflow.simulation import GradeControl

    if calculator.active_set is None:
        return None
    return GradeControl(gamma_save=gamma_save, gamma_break=gamma_break)


class StopRequest:
    """Remembers whether the user pressed Ctrl-C; a second Ctrl-C ends the command at once."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        return self.requested

    def receive(self, number: int, frame: object) -> None:
        """Handle the signal."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def stop_on_interrupt() -> Iterator[StopRequest]:
    """Turn Ctrl-C into a request to stop at the end of the step."""
    request = StopRequest()
    before = signal.signal(signal.SIGINT, request.receive)
    try:
        yield request
    finally:
        signal.signal(signal.SIGINT, before)


class Notes:
    """Prints a line on stderr, at most every few seconds; with a timestamp where there is no terminal."""

    def __init__(self) -> None:
        self.log = not on_terminal()
        self.every_s = LINE_EVERY_S if self.log else NOTE_INTERVAL_S
        self.last_s = time.monotonic()

    def __call__(self, text: str) -> None:
        now_s = time.monotonic()
        if now_s - self.last_s >= self.every_s:
            self.last_s = now_s
            print_note(stamped(text) if self.log else text)
