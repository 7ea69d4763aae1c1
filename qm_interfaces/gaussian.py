"""Gaussian, for molecules. It runs as a program; ASE writes its input and reads its log."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ase import Atoms

from qm_interfaces import options
from qm_interfaces.interface import CodeFailed, NotConverged, QMError, QMResult, SettingsError
from qm_interfaces.molecule import require_molecule
from qm_interfaces.obstacles import collect

COMMAND_VARIABLE = "ALFLOW_GAUSSIAN_COMMAND"
MEMORY_VARIABLE = "ALFLOW_GAUSSIAN_MEMORY"
INPUT, OUTPUT, ERRORS = "gaussian.com", "gaussian.log", "gaussian.err"
STEADIER = "xqc"  # second-order SCF if the usual one fails: slower, with the same energy
RESERVED = {
    *("force", "nosymm", "scf", "opt", "freq", "irc", "geom", "guess"),
    *("charge", "mult", "mem", "nprocshared"),
}

ENDS: dict[str, tuple[type[QMError], str]] = {
    "l1": (SettingsError, "Gaussian does not understand its input"),
    "l301": (SettingsError, "basis set, charge or multiplicity does not fit the molecule"),
    "l401": (CodeFailed, "no starting density was found"),
    "l502": (NotConverged, "self-consistency was not reached"),
    "l508": (NotConverged, "second-order self-consistency was not reached"),
    "l913": (NotConverged, "the correlated wave function did not converge"),
    "l9999": (CodeFailed, "Gaussian gave up at the end"),
}
"""Programs of Gaussian ("links") in which it may stop, and the meaning of each."""

ERROR_LINK = re.compile(r"Error termination .*?/?(l\d+)\.exe")
VERSION = re.compile(r"^ *Gaussian \d+: +(\S+)", re.MULTILINE)


class GaussianInterface:
    """Gaussian.

    Parameters
    ----------
    method, basis
        As in Gaussian's route: "b3lyp" and "6-31G(d)".
    charge
        Charge of the molecule, in elementary charges.
    unpaired_electrons
        Multiplicity minus one.
    route
        Further keywords of the route and their values, e.g. {integral: ultrafine}.
    scf
        Further options of self-consistency, e.g. [tight].
    """

    name = "gaussian"

    def __init__(
        self,
        method: str,
        basis: str,
        charge: int = 0,
        unpaired_electrons: int = 0,
        route: dict[str, Any] | None = None,
        scf: list[str] | None = None,
    ) -> None:
        self.method = options.text("method", method)
        self.basis = options.text("basis", basis)
        self.charge = options.integer("charge", charge)
        self.unpaired_electrons = options.integer("unpaired_electrons", unpaired_electrons, low=0)
        self.route = options.mapping("route", route or {})
        if reserved := sorted(RESERVED & {key.lower() for key in self.route}):
            raise SettingsError(f"option 'route' has {reserved[0]!r}, which alflow sets itself")
        if not isinstance(scf or [], list | tuple):
            raise SettingsError(f"option 'scf' is {scf!r}: it must be a list")
        self.scf = [options.text("scf", word) for word in scf or []]

    def level_of_theory(self) -> dict[str, Any]:
        return {
            "code": "gaussian",
            "method": self.method.lower(),
            "basis": self.basis.lower(),
            "charge": self.charge,
            "unpaired_electrons": self.unpaired_electrons,
            "route": self.route,
            "scf": self.scf,
        }

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        from qm_interfaces.program import scratch, start

        self._require_molecule(atoms)
        words = _command()
        self._write_input(atoms, directory, attempt)
        start(
            words,
            directory,
            stdin=INPUT,
            output=OUTPUT,
            errors=ERRORS,
            environment={"GAUSS_SCRDIR": str(scratch(directory))},
        ).wait()
        computed, version = read_results(directory)
        results = computed.calc.results
        computed.cell = atoms.cell  # Gaussian knows nothing of it
        return QMResult(
            energy_eV=float(results["energy"]),
            forces_eV_A=results["forces"],
            stress_eV_A3=None,
            code="gaussian",
            code_version=version,
            details={"corrections": [] if attempt == 1 else [f"scf={STEADIER}"]},
            computed=computed,
        )

    def obstacles(self, structures: Sequence[Atoms]) -> list[QMError]:
        return collect([_command, *(partial(self._require_molecule, atoms) for atoms in structures)])

    def _require_molecule(self, atoms: Atoms) -> None:
        require_molecule(atoms, self.charge, self.unpaired_electrons)

    def _write_input(self, atoms: Atoms, directory: Path, attempt: int) -> None:
        from ase.io import write

        from qm_interfaces.program import threads

        # nosymm: forces in the orientation of the input
        keywords = {"nprocshared": str(threads()), "nosymm": None} | self.route
        if memory := os.environ.get(MEMORY_VARIABLE):
            keywords["mem"] = memory
        if scf := [*self.scf, *([STEADIER] if attempt > 1 else [])]:
            keywords["scf"] = scf
        write(
            directory / INPUT,
            atoms,
            format="gaussian-in",
            properties=["forces"],
            method=self.method,
            basis=self.basis,
            charge=self.charge,
            mult=self.unpaired_electrons + 1,
            **keywords,
        )


def _command() -> list[str]:
    from qm_interfaces.program import command

    return command(COMMAND_VARIABLE, "g16")


def read_results(directory: Path) -> tuple[Atoms, str]:
    """Return the molecule that Gaussian computed, with energy and forces, and the version of Gaussian.

    Raises
    ------
    NotConverged, CodeFailed, SettingsError
        If the log says that something went wrong.
    """
    from qm_interfaces.program import last_line, read_output, read_structure

    log = read_output(directory, OUTPUT)
    if link := ERROR_LINK.search(log):
        kind, meaning = ENDS.get(link[1], (CodeFailed, "Gaussian failed"))
        raise kind(f"{meaning} (error termination in {link[1]}; {last_line(log[: link.start()])})")
    if "Convergence criterion not met" in log:
        raise NotConverged("self-consistency was not reached")
    if "Normal termination of Gaussian" not in log:
        said = read_output(directory, OUTPUT, ERRORS)
        raise CodeFailed(f"Gaussian ended before its result; {last_line(said)}")
    computed = read_structure(directory / OUTPUT, "gaussian-out", ("energy", "forces"))
    version = VERSION.search(log)
    return computed, version[1] if version else "unknown"
