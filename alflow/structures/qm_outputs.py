"""Outputs of QM codes: which of the frames that ASE reads are labels.

A frame whose electronic steps did not converge is no label. ASE reads it like any other, so the text of the
output is cut into the same frames, and each is searched for what the code says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import TextIO, cast
from xml.etree import ElementTree

import numpy as np
from ase import Atoms
from ase.io import iread
from ase.io.formats import open_with_compression
from ase.io.vasp_parsers.vasp_outcar_parsers import outcarchunks
from ase.units import Hartree

from alflow.errors import InputError

UNCONVERGED = "electronic steps did not converge"
PREDICTED = "VASP's own force field computed them"
VASP_DEFAULT_NELM = 60

_ESPRESSO_END = "End of self-consistent calculation"
_ESPRESSO_RESULTS = (
    *("!    total energy", "Forces acting on atoms", "total   stress", "Magnetic moment per site"),
    *(_ESPRESSO_END, "End of band structure calculation"),
)

Labelled = tuple[Atoms | None, str | None]
"""A frame (None if it cannot be read), and why it is no label (None if it is one)."""


def is_qm_output(file_format: str) -> bool:
    """Whether `read_qm_output` knows a format of ASE."""
    return file_format in _READERS or file_format in _SIGNS


def read_qm_output(path: Path, file_format: str) -> Iterator[Labelled]:
    """The frames of an output, each with the reason why its results are no label, or None.

    Raises
    ------
    InputError
        If some steps did not converge, and which they are cannot be told.
    Exception
        Of any class, from ASE's readers, if the file is broken.
    """
    if file_format in _READERS:
        yield from _READERS[file_format](path)
        return
    frames = list(iread(str(path), index=":", format=file_format))
    bad = _SIGNS[file_format](path, frames)
    if any(bad) and len(bad) != len(frames):
        raise InputError(
            f"{path}: has {sum(bad)} steps whose electrons did not converge, and they cannot be matched with "
            "the frames; leave them out of the file"
        )
    for number, atoms in enumerate(frames):
        _set_free_energy(atoms)
        yield atoms, UNCONVERGED if number < len(bad) and bad[number] else None


def _outcar(path: Path) -> Iterator[Labelled]:
    """The steps of an OUTCAR. One that took NELM electronic steps did not converge, whatever it says: VASP 5
    writes that EDIFF is reached in either case."""
    with open_with_compression(str(path)) as file:
        found = next((f for line in file if (f := re.search(r"\bNELM\s*=\s*(\d+)", line))), None)
        limit = int(found.group(1)) if found else VASP_DEFAULT_NELM
        file.seek(0)
        for chunk in outcarchunks(cast(TextIO, file)):
            if any("ML FREE ENERGIE OF THE ION-ELECTRON SYSTEM" in line for line in chunk.lines[-5:]):
                yield None, PREDICTED
                continue
            text = "".join(chunk.lines)
            steps = [int(step) for step in re.findall(r"Iteration\s+\d+\(\s*(\d+)\)", text)]
            wrong = max(steps, default=1) >= limit or "EDIFF was not reached" in text
            yield chunk.build(), UNCONVERGED if wrong else None


def _vasprun(path: Path, frames: list[Atoms]) -> list[bool]:
    limit, steps = VASP_DEFAULT_NELM, []
    with open_with_compression(str(path), "rb") as file:
        try:
            for event, element in ElementTree.iterparse(file, events=("start", "end")):
                if event == "start" and element.tag == "calculation":
                    steps.append(element)
                elif event == "end" and element.tag == "parameters":
                    nelm = element.find('.//i[@name="NELM"]')
                    limit = int(nelm.text) if nelm is not None and nelm.text else limit
        except ElementTree.ParseError:  # ASE reads the steps before the end of a file that is cut off
            if steps and steps[-1].find("energy") is None:
                steps.pop()
    return [len(step.findall("scstep")) >= limit for step in steps]


def _espresso(path: Path) -> Iterator[Labelled]:
    """The steps of an output of pw.x. With `scf_must_converge = .false.` it writes that convergence was
    achieved in any case, so the estimated accuracy is compared with the threshold of the input."""
    lines = _text(path).splitlines(keepends=True)
    begins = [n for n, line in enumerate(lines) if "Program PWSCF" in line or "ATOMIC_POSITIONS" in line]
    threshold_Ry, bad = np.inf, []
    for first, last in pairwise([*begins, len(lines)]):
        section = "".join(lines[first + 1 : last])
        if found := re.search(r"convergence threshold\s*=\s*(\S+)", section):
            threshold_Ry = float(found.group(1))
        if "convergence NOT achieved" in section:
            # pw.x stopped: there are no results, and ASE's reader fails where it looks for bands
            for n in range(first + 1, last):
                lines[n] = lines[n].replace(_ESPRESSO_END, "")
            yield None, UNCONVERGED
        elif any(word in section for word in _ESPRESSO_RESULTS):
            accuracies_Ry = re.findall(r"estimated scf accuracy\s*<\s*(\S+)", section)
            bad.append(bool(accuracies_Ry) and float(accuracies_Ry[-1]) > 1.05 * threshold_Ry)
    frames = list(iread(StringIO("".join(lines)), index=":", format="espresso-out"))
    if len(bad) != len(frames) and any(bad):
        raise InputError(f"{path}: has unconverged steps that cannot be matched with the frames")
    for number, atoms in enumerate(frames):
        yield atoms, UNCONVERGED if number < len(bad) and bad[number] else None


def _gpaw(path: Path, frames: list[Atoms]) -> list[bool]:
    blocks = re.split(r"^positions:$", _text(path).lower(), flags=re.MULTILINE)[1:]
    return ["did not converge!" in block for block in blocks[: len(frames)]]


def _whole_file(sign: str) -> Callable[[Path, list[Atoms]], list[bool]]:
    """For outputs whose steps cannot be told apart: one sign sets all frames aside."""

    def find(path: Path, frames: list[Atoms]) -> list[bool]:
        return [bool(re.search(sign, _text(path), re.IGNORECASE))] * len(frames)

    return find


def _gaussian(path: Path, frames: list[Atoms]) -> list[bool]:
    """The SCF energy after the complaint tells the frame; if none has it, all are set aside."""
    sign = r"Convergence criterion not met\.\s+SCF Done:\s+E\(\S+\)\s*=\s*(\S+)"
    text = _text(path)
    energies_eV = [float(energy.replace("D", "e")) * Hartree for energy in re.findall(sign, text)]
    bad = [any(abs(_energy_eV(atoms) - e) < 1e-6 for e in energies_eV) for atoms in frames]
    unmatched = bool(energies_eV) and not any(bad)
    return [unmatched or wrong for wrong in bad]


def _orca(path: Path, frames: list[Atoms]) -> list[bool]:
    return [math.isnan(_energy_eV(atoms)) for atoms in frames]  # ASE's value for an unconverged energy


_READERS: dict[str, Callable[[Path], Iterator[Labelled]]] = {"vasp-out": _outcar, "espresso-out": _espresso}
_SIGNS: dict[str, Callable[[Path, list[Atoms]], list[bool]]] = {
    "vasp-xml": _vasprun,
    "gpaw-out": _gpaw,
    "gaussian-out": _gaussian,
    "orca-output": _orca,
    "abinit-out": _whole_file(r"was not enough SCF cycles to converge"),
    "castep-castep": _whole_file(r"SCF cycles performed but system has not reached the groundstate"),
}


def _set_free_energy(atoms: Atoms) -> None:
    """ASE's reader of GPAW's text keeps the free energy apart from the results."""
    parts = getattr(atoms.calc, "energy_contributions", {})
    extrapolated = parts.get("extrapolated", parts.get("zero kelvin"))
    if "free energy" in parts and extrapolated is not None:
        atoms.calc.results["free_energy"] = atoms.calc.results["energy"] + parts["free energy"] - extrapolated


def _energy_eV(atoms: Atoms) -> float:
    return float(np.asarray(atoms.calc.results.get("energy", np.inf)))


def _text(path: Path) -> str:
    with open_with_compression(str(path)) as file:
        return str(file.read())
