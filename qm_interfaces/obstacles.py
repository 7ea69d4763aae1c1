"""Reasons why an interface cannot label structures on this machine, found before any label runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from ase import Atoms

from qm_interfaces.interface import CodeFailed, QMError, QMInterface


@runtime_checkable
class CheckedInterface(Protocol):
    """An interface that can tell, without a label, what is missing for one."""

    def obstacles(self, structures: Sequence[Atoms]) -> list[QMError]:
        """Return the reasons why labels of such structures would fail here; it takes well under a second.

        `CodeMissing` is for what this machine lacks (a program, a pseudopotential, a package), and says what
        to do. Other errors are for structures or options that the code cannot take on any machine.
        """
        ...


def obstacles(interface: QMInterface, structures: Sequence[Atoms] = ()) -> list[QMError]:
    """Return the obstacles that an interface knows of; none if it cannot tell."""
    return interface.obstacles(structures) if isinstance(interface, CheckedInterface) else []


def collect(checks: Iterable[Callable[[], object]]) -> list[QMError]:
    """Call all checks, and return the errors that they raise, each once."""
    found: dict[str, QMError] = {}
    for check in checks:
        try:
            check()
        except QMError as error:
            found.setdefault(error.reason, error)
    return list(found.values())


def require_periodic(atoms: Atoms, code: str) -> None:
    """Check that a structure is periodic in all directions.

    Raises
    ------
    CodeFailed
        If it is not; another attempt cannot help.
    """
    if not (atoms.pbc.all() and atoms.cell.rank == 3):
        raise CodeFailed(f"{code} needs a cell that is periodic in all directions", retryable=False)
