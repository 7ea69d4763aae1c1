"""The runs of pw.x for one label: corrections between them, and the results of the last."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io.espresso import read_fortran_namelist
from custodian.custodian import ErrorHandler, Job

from qm_interfaces.interface import CodeFailed, NotConverged, SettingsError
from qm_interfaces.program import last_line, read_output, read_structure, start

INPUT, OUTPUT, ERRORS = "espresso.pwi", "espresso.pwo", "espresso.err"
MOST_RUNS = 5
CORRECTABLE = frozenset({"mixing_beta", "electron_maxstep", "diagonalization"})
"""Keys that a handler may change: they decide how self-consistency is reached, but not the result."""

UNCONVERGED = "convergence NOT achieved"
ERROR_BOX = re.compile(r"Error in routine\s+(\S+)\s*\(\s*-?\d+\s*\):\s*\n(.*?)\n\s*%%%", re.DOTALL)
WRONG_INPUT = ("read_namelists", "read_cards", "card_", "readpp", "read_upf", "iosys", "setup", "input")
WRONG_EIGENSTATES = (
    "too many bands are not converged",
    "problems computing cholesky",
    "S matrix not positive definite",
    "eigenvectors failed to converge",
    "failed to converge or to reach",
)


class Run(Job):
    """One run of pw.x on the input in its folder; `command` are the words of the command."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)

    def setup(self, directory: str = "./") -> None:
        """Do nothing: the interface has written the input."""

    def run(self, directory: str = "./") -> subprocess.Popen[bytes]:
        return start([*self.command, "-in", INPUT], Path(directory), output=OUTPUT, errors=ERRORS)

    def postprocess(self, directory: str = "./") -> None:
        """Do nothing: the interface reads the output."""


def change_input(directory: str, **changes: Any) -> dict[str, Any]:
    """Change keys of &ELECTRONS, none but `CORRECTABLE` ones; returns them as custodian's record wants."""
    if not changes.keys() <= CORRECTABLE:
        raise ValueError(f"{sorted(changes.keys() - CORRECTABLE)} may change the level of theory")
    file = Path(directory, INPUT)
    with file.open(encoding="utf-8") as lines:
        namelists, cards = read_fortran_namelist(lines)
    namelists["electrons"].update(changes)
    file.write_text(namelists.to_string() + "\n".join(cards) + "\n", encoding="utf-8")
    return {"file": INPUT, "electrons": changes}


def electrons(directory: str) -> dict[str, Any]:
    """Return section &ELECTRONS of the last input."""
    with Path(directory, INPUT).open(encoding="utf-8") as lines:
        return dict(read_fortran_namelist(lines)[0]["electrons"])


class SelfConsistency(ErrorHandler):
    """Answers missing self-consistency: mix less of the new density, and iterate more."""

    max_num_corrections = 2

    def check(self, directory: str = "./") -> bool:
        return UNCONVERGED in read_output(Path(directory), OUTPUT)

    def correct(self, directory: str = "./") -> dict[str, Any]:
        now = electrons(directory)
        action = change_input(
            directory,
            mixing_beta=0.4 * now.get("mixing_beta", 0.7),
            electron_maxstep=2 * now.get("electron_maxstep", 100),
        )
        return {"errors": ["self-consistency not reached"], "actions": [action]}


class Diagonalization(ErrorHandler):
    """Answers a failed Davidson diagonalization: conjugate gradients are slower and steadier."""

    max_num_corrections = 1

    def check(self, directory: str = "./") -> bool:
        output = read_output(Path(directory), OUTPUT)
        fails = any(message in output for message in WRONG_EIGENSTATES) and "JOB DONE" not in output
        return fails and electrons(directory).get("diagonalization", "david") != "cg"

    def correct(self, directory: str = "./") -> dict[str, Any]:
        return {
            "errors": ["diagonalization failed"],
            "actions": [change_input(directory, diagonalization="cg")],
        }


def corrections(run_log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the changes of the handlers, from custodian's log, as plain values."""
    return [
        {"errors": entry["errors"], "actions": entry["actions"]}
        for job in run_log
        for entry in job["corrections"]
    ]


def read_results(directory: Path) -> tuple[Atoms, str]:
    """Return the structure that pw.x computed, with energy, forces and stress, and the version of pw.x.

    The energy is the total energy (with smearing, the free energy), because the forces are its derivatives.

    Raises
    ------
    NotConverged, CodeFailed, SettingsError
        If the output says that something went wrong.
    """
    output = read_output(directory, OUTPUT)
    if UNCONVERGED in output:
        steps = electrons(str(directory)).get("electron_maxstep", 100)
        raise NotConverged(f"pw.x: self-consistency was not reached in {steps} iterations")
    if box := ERROR_BOX.search(output):
        routine, message = box[1], " ".join(box[2].split())
        kind = SettingsError if routine.startswith(WRONG_INPUT) else CodeFailed
        raise kind(f"pw.x stopped in {routine}: {message}")
    if "JOB DONE" not in output or "convergence has been achieved" not in output:
        said = read_output(directory, OUTPUT, ERRORS)
        raise CodeFailed(f"pw.x ended before its result; {last_line(said)}")
    version = re.search(r"Program PWSCF\s+v\.?\s*(\S+)", output)
    computed = read_structure(directory / OUTPUT, "espresso-out", ("free_energy", "forces", "stress"))
    return computed, version[1] if version else "unknown"
