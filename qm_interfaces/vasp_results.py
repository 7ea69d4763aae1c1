"""Energy, forces and stress of a finished VASP run, from vasprun.xml, or from OUTCAR if that is broken."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from ase import Atoms
from ase.io import ParseError, iread

from qm_interfaces.interface import CodeFailed, NotConverged, QMResult

# Exceptions of ASE's readers if a number is asterisks or a block is missing.
UNREADABLE = (ParseError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError, StopIteration)


class _Broken(Exception):
    """A file does not hold a complete result."""


def read_result(folder: Path) -> QMResult:
    """Read the last ionic step, in VASP's order of the atoms.

    `energy_eV` is the free energy F, because the forces are its derivatives. `details` keeps the energy
    extrapolated to zero smearing (E0, "energy(sigma->0)").

    Raises
    ------
    CodeFailed
        If neither vasprun.xml nor OUTCAR is complete.
    NotConverged
        If the electronic steps ended before EDIFF was reached, or if nothing says that it was reached.
    """
    outcar = outcar_text(folder)
    try:
        atoms, details, converged = _from_vasprun(folder / "vasprun.xml")
    except _Broken as vasprun_problem:
        try:
            atoms, details, converged = _from_outcar(folder / "OUTCAR", outcar)
        except _Broken as outcar_problem:
            raise CodeFailed(f"VASP left no whole result: {vasprun_problem}; {outcar_problem}") from None
    said = _says_converged(outcar)
    if not (converged if said is None else said):
        raise NotConverged(f"the electronic steps of VASP did not reach EDIFF ({details['source']})")
    results = atoms.calc.results
    if not {"free_energy", "energy", "forces"} <= {
        key for key, value in results.items() if value is not None
    }:
        raise CodeFailed(f"{details['source']} lacks energy or forces")
    stress = results.get("stress")
    version = details.pop("version") or _version(outcar)
    energies = {"E0_eV": float(results["energy"]), "free_energy_eV": float(results["free_energy"])}
    return QMResult(
        energy_eV=energies["free_energy_eV"],
        forces_eV_A=np.array(results["forces"]),
        stress_eV_A3=None if stress is None else np.array(stress),
        code="vasp",
        code_version=version,
        details=details | energies,
        computed=Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True),
    )


def _from_vasprun(file: Path) -> tuple[Atoms, dict[str, Any], bool]:
    """Return structure with results, facts, and whether the electronic steps were fewer than allowed."""
    try:
        root = ElementTree.parse(file).getroot()
    except FileNotFoundError:
        raise _Broken("no vasprun.xml") from None
    except (ElementTree.ParseError, OSError) as error:
        raise _Broken(f"vasprun.xml is broken ({error})") from error
    calculations = root.findall("calculation")
    if not calculations:
        raise _Broken("vasprun.xml has no finished step")
    steps = len(calculations[-1].findall("scstep"))
    limit = root.find('.//parameters//i[@name="NELM"]')
    version = root.find('generator/i[@name="version"]')
    try:
        atoms = next(iread(file, index=-1, format="vasp-xml"))
        allowed = 60 if limit is None or limit.text is None else int(limit.text)
    except UNREADABLE as error:
        raise _Broken(f"vasprun.xml is unreadable ({error})") from error
    facts = {
        "source": "vasprun.xml",
        "version": "" if version is None or version.text is None else version.text.strip(),
        "electronic_steps": steps,
        "ionic_steps": len(calculations),
    }
    return atoms, facts, steps < allowed


def _from_outcar(file: Path, text: str) -> tuple[Atoms, dict[str, Any], bool]:
    if not text:
        raise _Broken("no OUTCAR")
    if "General timing and accounting" not in text:
        raise _Broken("OUTCAR ends before its end")
    try:
        atoms = next(iread(file, index=-1, format="vasp-out"))
    except UNREADABLE as error:
        raise _Broken(f"OUTCAR is unreadable ({error})") from error
    iterations = re.findall(r"Iteration\s+(\d+)\(\s*(\d+)\)", text)
    ionic, electronic = map(int, iterations[-1] if iterations else (0, 0))
    facts = {"source": "OUTCAR", "version": "", "electronic_steps": electronic, "ionic_steps": ionic}
    return atoms, facts, False


def outcar_text(folder: Path) -> str:
    """Return the OUTCAR of a run, or an empty text if there is none."""
    file = folder / "OUTCAR"
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def _says_converged(outcar: str) -> bool | None:
    """Return whether OUTCAR says that its last electronic loop converged; None if it says nothing."""
    ends = [line for line in outcar.splitlines() if "aborting loop" in line]
    return "EDIFF is reached" in ends[-1] if ends else None


def _version(outcar: str) -> str:
    found = re.search(r"vasp\.(\S+)", outcar[:2000])
    return found.group(1) if found else ""
