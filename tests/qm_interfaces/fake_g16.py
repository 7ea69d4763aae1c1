"""A stand-in for Gaussian: reads an input from stdin, computes with PySCF, and prints a log as Gaussian does.

FAKE_G16 in the environment says what happens: right, unconverged (with -once: unless scf=xqc is asked for),
crash, hang, truncated, reordered or nothing; or it is a plan (`planted.py`).
"""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree
from planted import planted_mode

from qm_interfaces import get_interface

RULE = " " + "-" * 69
HEAD = """ Entering Gaussian System, Link 0=g16
 Gaussian 16:  ES64L-G16RevC.01  3-Jul-2019
"""
UNCONVERGED = """ >>>>>>>>>> Convergence criterion not met.
 SCF Done:  E(RHF) =  -74.1     A.U. after  129 cycles
 Convergence failure -- run terminated.
 Error termination via Lnk1e in /opt/g16/l502.exe at Sat Nov 21 12:00:00 2026.
 Job cpu time:       0 days  0 hours  0 minutes  2.0 seconds.
"""


def blocks(text: str) -> tuple[str, str]:
    """Route and molecule."""
    route, _, molecule = re.split(r"\n\s*\n", text)[:3]
    return route, molecule


def read_input(text: str) -> tuple[str, str, int, int, Atoms]:
    """Method, basis, charge, multiplicity and molecule of an input."""
    route, molecule = blocks(text)
    found = re.search(r"#P (\S+?)/(\S+)", route)
    assert found and {"force", "nosymm"} <= set(route.split())
    first, *rows = molecule.splitlines()
    charge, multiplicity = map(int, first.split())
    symbols = [row.split()[0] for row in rows]
    return found[1], found[2], charge, multiplicity, Atoms(symbols, [row.split()[1:4] for row in rows])


def table(numbers: np.ndarray, rows: np.ndarray, kind: str, digits: int) -> str:
    lines = [f"{i + 1:7d}{z:11d}{kind}" for i, z in enumerate(numbers)]
    values = ["".join(f"{x:{digits + 6}.{digits}f}" for x in row) for row in rows]
    return "\n".join(a + b for a, b in zip(lines, values, strict=True))


def log(text: str, reordered: bool = False) -> str:
    method, basis, charge, multiplicity, atoms = read_input(text)
    interface = get_interface(
        "pyscf", method=method, basis=basis, charge=charge, unpaired_electrons=multiplicity - 1
    )
    result = interface.compute(atoms, Path(os.environ["GAUSS_SCRDIR"]))
    order = slice(None, None, -1 if reordered else 1)
    numbers, forces = atoms.numbers[order], result.forces_eV_A[order] / Hartree * Bohr
    return f"""{HEAD}                          Input orientation:
{RULE}
 Center     Atomic      Atomic             Coordinates (Angstroms)
 Number     Number       Type             X           Y           Z
{RULE}
{table(numbers, atoms.positions[order], f"{0:12d}    ", 6)}
{RULE}
 SCF Done:  E(RHF) =  {result.energy_eV / Hartree:.9f}     A.U. after    7 cycles
 Center     Atomic                   Forces (Hartrees/Bohr)
 Number     Number              X              Y              Z
{RULE}
{table(numbers, forces, "  ", 9)}
{RULE}
 Normal termination of Gaussian 16 at Sat Nov 21 12:00:00 2026.
"""


def main(text: str) -> None:
    mode = planted_mode(os.environ["FAKE_G16"], blocks(text)[1])
    match mode:
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            signal.pause()
        case "nothing":
            return
        case "unconverged" | "unconverged-once" if mode == "unconverged" or "xqc" not in text:
            print(HEAD + UNCONVERGED)
            raise SystemExit(1)
        case "truncated":
            whole = log(text)
            print(whole[: whole.index("Forces (Hartrees")])
        case _:
            print(log(text, mode == "reordered"))


if __name__ == "__main__":
    main(sys.stdin.read())
