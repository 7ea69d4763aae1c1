"""The inputs of a finished VASP run: from its input files or, if some are gone, from its results."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import ParseError

from qm_interfaces.interface import CodeFailed
from qm_interfaces.vasp_inputs import titles_text
from qm_interfaces.vasp_level import VaspInputs
from qm_interfaces.vasp_results import UNREADABLE, outcar_text

NEEDED = ("INCAR", "KPOINTS", "POTCAR")

# Keys of an INCAR that OUTCAR repeats, with the values that VASP uses if the INCAR does not have them.
TOLD_BY_OUTCAR = {
    "PREC": None,
    "ENCUT": None,
    "ISMEAR": None,
    "SIGMA": None,
    "EDIFF": None,
    "LREAL": None,
    "ISPIN": None,
    "NSW": None,
    "IBRION": None,
    "ISIF": None,
    "ISYM": "2",
    "SYMPREC": None,
    "GGA": "--",
    "METAGGA": "F",
    "LASPH": None,
    "LHFCALC": None,
    "LDAU": None,
    "IVDW": None,
    "NUPDOWN": "-1.",
    "LSORBIT": "F",
    "LNONCOLLINEAR": "F",
    "ICHARG": None,
}
CUT_SHORT = {"accura": "accurate"}


def inputs_of_run(folder: Path) -> VaspInputs:
    """Return INCAR, KPOINTS and the TITELs of POTCAR. Missing files come from vasprun.xml, or else OUTCAR.

    Raises
    ------
    CodeFailed
        If one of them cannot be found anywhere.
    """
    texts = dict(VaspInputs.read(folder).texts)
    for told in (_from_vasprun, _from_outcar):
        if absent := [name for name in NEEDED if name not in texts]:
            texts = told(folder) | texts
    if absent := [name for name in NEEDED if name not in texts]:
        raise CodeFailed(
            f"{folder} has no {' and no '.join(absent)}, and no vasprun.xml or OUTCAR that tells them",
            retryable=False,
        )
    return VaspInputs(texts)


def _from_vasprun(folder: Path) -> dict[str, str]:
    from pymatgen.io.vasp.inputs import Incar
    from pymatgen.io.vasp.outputs import Vasprun

    try:
        run = Vasprun(folder / "vasprun.xml", parse_dos=False, parse_eigen=False, parse_potcar_file=False)
        incar = Incar({"ENCUT": run.parameters["ENMAX"]} | dict(run.incar))
    except (*UNREADABLE, ParseError):
        return {}
    return {"INCAR": str(incar), "KPOINTS": str(run.kpoints), "POTCAR": titles_text(run.potcar_symbols)}


def _from_outcar(folder: Path) -> dict[str, str]:
    text = outcar_text(folder)
    if not text:
        return {}
    head = text.partition("Iteration")[0]
    lines = []
    for key, default in TOLD_BY_OUTCAR.items():
        found = re.search(rf"(?:^|;)\s*{key}\s*=\s*([^\s;]+)", head, re.MULTILINE)
        if found and not (default and found[1].startswith(default)):
            lines.append(f"{key} = {CUT_SHORT.get(found[1], found[1])}")
    titles = list(dict.fromkeys(re.findall(r"^ *POTCAR: +(\S.*?) *$", head, re.MULTILINE)))
    return {"INCAR": "\n".join(lines), "POTCAR": titles_text(titles)}
