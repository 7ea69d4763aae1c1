"""All quantum-mechanics codes share one protocol, one result type and one tree of exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from ase import Atoms


class QMError(Exception):
    """A label could not be obtained.

    Parameters
    ----------
    reason
        One sentence that a person can read.
    retryable
        Whether another attempt may succeed. Each kind of error has its own default.
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
    """The code ended, but its self-consistency or its optimization of the density did not converge."""


class TimedOut(QMError):
    """The code was killed at its time limit."""


class OutOfMemory(QMError):
    """The code was killed at its memory limit."""

    default_retryable = False


class CodeFailed(QMError):
    """The code ended with an error or a signal, or its output cannot be read."""


class LevelChanged(QMError):
    """The level of theory of the result differs from the one that was asked for."""

    default_retryable = False


class CodeMissing(QMError):
    """The code, or something that it needs, is not installed on this machine."""

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
        Energy whose derivatives the forces are; with smeared electrons, the free energy.
    forces_eV_A
        (N, 3), in the order of the given atoms.
    stress_eV_A3
        (6,), ASE sign, Voigt order xx yy zz yz xz xy; None if the code or the boundary conditions give none.
    code, code_version
        Program that computed the label.
    wall_time_s
        From the start of the label process to its end.
    details
        Plain values worth keeping: iterations, grid, ...
    computed
        Structure that the code computed, from its own output; `validate` compares it with the given one.
    relaxed
        Structure that energy, forces and stress of a relaxation belong to; None for a static label.
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

    Constructing an interface must be cheap and must not import the code, because alflow asks for the level of
    theory whenever it plans labels.
    """

    name: str

    def level_of_theory(self) -> dict[str, Any]:
        """Return everything that decides the numbers, and nothing else, as plain values (JSON).

        Together with the configuration, the level of theory identifies a label. Equal levels must be equal
        values.
        """
        ...

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        """Label one configuration.

        Parameters
        ----------
        directory
            Folder for the files of the code.
        attempt
            Counts from 1. Later attempts may use more careful algorithms, but never another level of theory.

        Raises
        ------
        QMError
            If there is no converged label.
        """
        ...
