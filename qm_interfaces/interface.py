"""What every quantum-mechanics code looks like from outside: one protocol, one result, one exception tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from ase import Atoms


class QMError(Exception):
    """A label that was not obtained, and why.

    Parameters
    ----------
    reason
        One sentence that a person can read.
    retryable
        Whether the same label may succeed when it is tried again. Each kind of error has its own default.
    """

    default_retryable: ClassVar[bool] = True

    def __init__(self, reason: str, *, retryable: bool | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retryable = self.default_retryable if retryable is None else retryable

    def to_dict(self) -> dict[str, Any]:
        return {"kind": type(self).__name__, "reason": self.reason, "retryable": self.retryable}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> QMError:
        kinds: dict[str, type[QMError]] = {kind.__name__: kind for kind in QMError.__subclasses__()}
        return kinds[data["kind"]](data["reason"], retryable=data["retryable"])


class NotConverged(QMError):
    """The code ended, but its self-consistency or density optimisation did not converge."""


class TimedOut(QMError):
    """The code was killed at its time limit."""


class CodeFailed(QMError):
    """The code ended with an error, a signal, or output that cannot be read."""


class LevelChanged(QMError):
    """The result has another level of theory than was asked for."""

    default_retryable = False


class CodeMissing(QMError):
    """The code, or something that it needs on this machine, is not installed."""

    default_retryable = False


class SettingsError(QMError):
    """An option is unknown or wrong; the reason names it."""

    default_retryable = False


@dataclass(frozen=True, eq=False)
class QMResult:
    """Energy, forces and stress of one configuration.

    Attributes
    ----------
    energy_eV
        The energy whose derivative the forces are (the free energy, where electrons are smeared).
    forces_eV_A
        (N, 3), in the order of the atoms that were given.
    stress_eV_A3
        (6,), ASE sign, Voigt order xx yy zz yz xz xy; None where code or boundary conditions give none.
    details
        Plain values worth keeping: iterations, grid, ...
    computed
        The structure as the code reports to have computed it, for the check that it is the one asked for.
    relaxed
        Of a relaxation, the structure that energy, forces and stress belong to; None for a static label.
    """

    energy_eV: float
    forces_eV_A: np.ndarray
    stress_eV_A3: np.ndarray | None
    code: str
    code_version: str
    wall_time_s: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)
    computed: Atoms | None = None
    relaxed: Atoms | None = None


class QMInterface(Protocol):
    """A quantum-mechanics code with its settings.

    Constructing one is cheap and imports no code: whoever plans labels asks only for `level_of_theory`.
    """

    name: str

    def level_of_theory(self) -> dict[str, Any]:
        """JSON-able and canonical: everything that decides the numbers, and nothing else.

        With the configuration it identifies a label.
        """
        ...

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        """Label one configuration; the files of the code go into `directory`.

        `attempt` counts from 1; later attempts may use more careful algorithms, never another level of
        theory. Raises QMError.
        """
        ...
