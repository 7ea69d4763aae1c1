"""`alflow doctor`: the parts of this machine that alflow can use, their tests, and repairs for failures."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import typer

from alflow.cli.output import JsonOption, print_json, print_table
from alflow.errors import InputError

PACKAGES = ("alflow", "numpy", "scipy", "ase", "fireworks", "pymongo", "custodian", "pydantic")

QM_PACKAGES = {
    "orbital-free DFT": ("dftpy", "pip install 'alflow[ofdft]'"),
    "PySCF": ("pyscf", "pip install 'alflow[pyscf]'"),
    "GPAW": ("gpaw", "CC=g++ CXX=g++ pip install gpaw; it needs the headers of libxc and BLAS"),
}
"""Codes that compute in the label process → module, and how to install it."""

QM_COMMANDS = {
    "VASP": ("vasp_std", "ALFLOW_VASP_COMMAND", "licensed by VASP Software"),
    "Quantum ESPRESSO": ("pw.x", "ALFLOW_PW_COMMAND", "apt install quantum-espresso"),
    "Gaussian": ("g16", "ALFLOW_GAUSSIAN_COMMAND", "licensed by Gaussian, Inc."),
    "ABINIT": ("abinit", None, "apt install abinit abinit-data"),
    "CP2K": ("cp2k.psmp", "ASE_CP2K_COMMAND", "apt install cp2k cp2k-data"),
    "SIESTA": ("siesta", None, "conda-forge has siesta"),
    "DFTB+": ("dftb+", None, "conda-forge has dftbplus"),
    "xTB": ("xtb", None, "apt install xtb"),
}
"""Codes that run as programs → command, the variable that may replace it, and how to install it."""

FORCE_TOLERANCE_eV_A = 1e-5  # central differences of 1e-4 Å leave about 1e-7 eV/Å
PING_LIMIT_S = 3.0


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis: `ok`, `missing`, `failed`, or `absent` if the part is optional."""

    part: str
    state: str
    found: str
    mend: str = ""


def doctor(json: JsonOption = False) -> None:
    """Check this machine: versions, compiled kernel, databases, QM codes, and a self-test of some seconds.

    Exits with code 1 if a required part is missing or fails.
    """
    findings = [*_packages(), *_kernel(), *_databases(), *_qm_codes()]
    healthy = all(finding.state in ("ok", "absent") for finding in findings)
    if json:
        print_json({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
    else:
        columns = ("part", "state", "found", "how to mend it")
        print_table("alflow doctor", columns, [tuple(asdict(finding).values()) for finding in findings])
    if not healthy:
        raise typer.Exit(1)


def _packages() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()}, {platform.system()} {platform.machine()}")
    for name in PACKAGES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "missing", "", f"pip install {name}")


def _kernel() -> Iterator[Finding]:
    try:
        from alflow.potentials import kernel
    except ImportError as error:
        yield Finding("kernel", "missing", str(error), "install a C++ compiler, then reinstall alflow")
        return
    yield Finding("kernel", "ok", f"{kernel.build_name} build, compiler {kernel.compiler}")
    yield _tested("kernel: forces are derivatives", _wrong_forces)


def _databases() -> Iterator[Finding]:
    from alflow.store.embedded import server_command

    try:
        yield Finding("embedded database", "ok", f"SecantusDB {version('secantusdb')}, {server_command()}")
        yield _tested("embedded database: a round trip", _failing_database)
    except (InputError, PackageNotFoundError):
        yield Finding("embedded database", "absent", "", "pip install 'alflow[embedded]', or use --uri")
    yield _configured_database()


def _configured_database() -> Finding:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    part, uri = "ALFLOW_MONGO_URI", os.environ.get("ALFLOW_MONGO_URI")
    if uri is None:
        return Finding(
            part, "absent", "not set", "only for campaigns on a MongoDB server: see docs/database.md"
        )
    address = uri.rpartition("@")[2]
    try:
        with MongoClient[Any](uri, serverSelectionTimeoutMS=int(1e3 * PING_LIMIT_S)) as client:
            client.alflow.command("dbStats")
            return Finding(part, "ok", f"MongoDB {client.server_info()['version']} at {address}")
    except PyMongoError as error:
        reason = str(error).partition(",")[0]
        return Finding(
            part, "failed", f"{address}: {reason}", "start the server, or correct or unset the variable"
        )


def _qm_codes() -> Iterator[Finding]:
    yield _tested("a mock label in its own process", _failing_label)
    for name, (module, source) in QM_PACKAGES.items():
        if find_spec(module):
            yield Finding(name, "ok", f"{module} {version(module)}")
        else:
            yield Finding(name, "absent", "", source)
    for name, (usual, variable, source) in QM_COMMANDS.items():
        yield _program(name, usual, variable, source)


def _program(name: str, usual: str, variable: str | None, source: str) -> Finding:
    """Find the program of a QM code; `usual` is its command if the variable is not set."""
    given = os.environ.get(variable, "").split() if variable else []
    command = given[0] if given else usual
    if place := shutil.which(command):
        return Finding(name, "ok", place)
    if given:
        return Finding(name, "failed", f"{variable}: no program {command}", "correct or unset the variable")
    return Finding(name, "absent", "", f"{source}; {usual} on PATH{f' or {variable}' if variable else ''}")


def _tested(part: str, test: Callable[[Path], str | None]) -> Finding:
    """Run a self-test in an empty folder; the test returns a description of the failure, or None."""
    start = perf_counter()
    with TemporaryDirectory() as folder:
        trouble = test(Path(folder))
    if trouble is not None:
        return Finding(part, "failed", trouble, "reinstall alflow; if it stays so, report it")
    return Finding(part, "ok", f"works, {perf_counter() - start:.1f} s")


def _wrong_forces(folder: Path) -> str | None:
    """Compare the forces of a random potential with central differences of its energy."""
    import numpy as np
    from ase.build import bulk
    from ase.calculators.fd import calculate_numerical_forces

    from alflow.potentials import PotentialCalculator
    from alflow.potentials.mtp import MomentTensorPotential

    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=0)
    atoms.calc = PotentialCalculator(MomentTensorPotential.random(["Cu"], level=10, cutoff_A=5.0))
    error_eV_A = np.abs(calculate_numerical_forces(atoms, eps=1e-4) - atoms.get_forces()).max()
    return None if error_eV_A < FORCE_TOLERANCE_eV_A else f"forces are wrong by {error_eV_A:.1e} eV/Å"


def _failing_label(folder: Path) -> str | None:
    from ase.build import bulk

    from qm_interfaces import QMError, run_label

    try:
        run_label("mock", {}, bulk("Cu", cubic=True), folder, timeout_s=30.0)
    except QMError as error:
        return error.reason
    return None


def _failing_database(folder: Path) -> str | None:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    from alflow.store.embedded import EmbeddedDatabase

    try:
        with EmbeddedDatabase(folder) as uri, MongoClient[Any](uri) as client:
            client.alflow.events.insert_one({"what": "self-test"})
            found = client.alflow.events.count_documents({"what": "self-test"})
    except (InputError, PyMongoError) as error:
        return str(error)
    return None if found == 1 else "what was written is not there"
