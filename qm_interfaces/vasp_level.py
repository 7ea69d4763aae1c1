"""Check that the last run of VASP had the level of theory that was asked for.

Error handlers edit INCAR and KPOINTS until a run ends well. This module lists the keys that they may change
without changing energies, with a reason for each. A change of any other key makes another level of theory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qm_interfaces.vasp_inputs import potcar_titles

MINIMISER = "how VASP searches the electronic minimum, not which one"
MIXING = "charge mixing: the path to self-consistency"
PARALLEL = "how VASP spreads work over processes"
START = "where the search starts"
OUTPUT = "output only"

MAY_DIFFER = {
    "ALGO": MINIMISER,
    "IALGO": MINIMISER,
    "ISEARCH": MINIMISER,
    "TIME": MINIMISER,
    "NELM": "limit of the electronic steps; convergence is checked",
    "NELMIN": "least number of electronic steps",
    "NELMDL": "steps before the density is updated",
    "NBANDS": "more empty bands; never fewer",
    "IMIX": MIXING,
    "AMIX": MIXING,
    "BMIX": MIXING,
    "AMIX_MAG": MIXING,
    "BMIX_MAG": MIXING,
    "AMIN": MIXING,
    "MAXMIX": MIXING,
    "MIXPRE": MIXING,
    "INIMIX": MIXING,
    "WC": MIXING,
    "NCORE": PARALLEL,
    "NPAR": PARALLEL,
    "KPAR": PARALLEL,
    "NSIM": PARALLEL,
    "LPLANE": PARALLEL,
    "LSCALAPACK": PARALLEL,
    "LSCALU": PARALLEL,
    "ISTART": START,
    "ICHARG": START + "; but 10 and above fix the density",
    "POTIM": "step of moving atoms; nothing moves",
    "ISIF": "which parts of the stress; 2 and above give all of them",
    "IBRION": "how atoms move; nothing moves if NSW is 0",
    "EDIFFG": "end of a relaxation; nothing moves",
    "PSTRESS": "pressure on moving cells; F is read from the last electronic step, before PV is added",
    "LWAVE": OUTPUT,
    "LCHARG": OUTPUT,
    "LVTOT": OUTPUT,
    "LELF": OUTPUT,
    "LORBIT": OUTPUT,
    "NEDOS": OUTPUT,
    "EMIN": OUTPUT,
    "EMAX": OUTPUT,
    "NWRITE": OUTPUT,
    "SYSTEM": OUTPUT,
}

SELF_CONSISTENT = {
    "n",
    "v",
    "f",
    "a",
    "c",
    "d",
}  # first letters of ALGO: Normal, VeryFast, Fast, All, ..., Damped
NOT_SELF_CONSISTENT = {"none", "nothing"}
SELF_CONSISTENT_IALGO = {38, 48, 53, 54, 58, 68}
KEEP_ORBITALS = {"ISMEAR", "SIGMA"}  # with another basis, mesh or symmetry, old orbitals may not fit

# VASP's own values of keys that are often left out; GGA is the functional of the POTCAR.
DEFAULTS = {
    "NSW": 0,
    "IBRION": -1,
    "ISIF": 2,
    "ISPIN": 1,
    "ISMEAR": 1,
    "SIGMA": 0.2,
    "EDIFF": 1e-4,
    "PREC": "normal",
    "LREAL": False,
    "SYMPREC": 1e-5,
    "LASPH": False,
    "ADDGRID": False,
    "LDAU": False,
    "LHFCALC": False,
    "IVDW": 0,
}
GGA_OF_POTCAR = {"PAW_PBE": "pe", "PAW_GGA": "91", "PAW": "ca"}


@dataclass(frozen=True)
class VaspInputs:
    """The texts of INCAR, KPOINTS, POSCAR and POTCAR, as far as they exist."""

    texts: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path) -> VaspInputs:
        files = (folder / name for name in ("INCAR", "KPOINTS", "POSCAR", "POTCAR"))
        return cls({f.name: f.read_text(encoding="utf-8", errors="replace") for f in files if f.is_file()})

    def incar(self) -> dict[str, Any]:
        """Return the INCAR with keys in capitals, typed values, and texts in small letters."""
        from pymatgen.io.vasp.inputs import Incar

        return {key.upper(): canonical(value) for key, value in Incar.from_str(self.texts["INCAR"]).items()}

    def kpoints(self) -> str:
        """Return style, divisions and shift of the mesh."""
        from pymatgen.io.vasp.inputs import Kpoints

        if "KPOINTS" not in self.texts:
            return "none"
        mesh = Kpoints.from_str(self.texts["KPOINTS"])
        shift = [float(s) for s in mesh.kpts_shift]
        return f"{mesh.style.name} {[tuple(k) for k in mesh.kpts]}" + (
            f" shift {shift}" if any(shift) else ""
        )

    def without_moments(self) -> VaspInputs:
        """Return the inputs without MAGMOM, which belongs to the configuration."""
        from pymatgen.io.vasp.inputs import Incar

        incar = {k: v for k, v in Incar.from_str(self.texts["INCAR"]).items() if k.upper() != "MAGMOM"}
        return VaspInputs({**self.texts, "INCAR": str(Incar(incar))})

    def potcar(self) -> set[str]:
        return set(potcar_titles(self.texts.get("POTCAR", "")))


def canonical(value: Any) -> Any:
    """Return `value` in a form in which equal settings are equal: 400 and 400.0, Accurate and accurate."""
    if isinstance(value, list | tuple):
        return [canonical(entry) for entry in value]
    if isinstance(value, str):
        word = value.strip().strip(".").lower()
        return {"t": True, "true": True, "f": False, "false": False}.get(word, word)
    return value if isinstance(value, bool) else float(value)


def level_of_incar(incar: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an INCAR that decides energies."""
    return {key: canonical(value) for key, value in sorted(incar.items()) if key not in MAY_DIFFER}


def level_changes(requested: VaspInputs, used: VaspInputs) -> list[str]:
    """List the differences between two inputs that change energies, one phrase per difference."""
    changes = [
        f"INCAR {key} is {_shown(after)} instead of {_shown(before)}"
        for key, (before, after) in _differences(requested, used).items()
        if not _harmless(key, before, after)
    ]
    if requested.kpoints() != used.kpoints():
        changes.append(f"KPOINTS is {used.kpoints()} instead of {requested.kpoints()}")
    if requested.potcar() != used.potcar():
        changes.append(f"POTCAR is {_titles(used)} instead of {_titles(requested)}")
    return changes


def restore(requested: VaspInputs, folder: Path) -> None:
    """Write the requested level again. Harmless corrections, last orbitals and density stay."""
    from pymatgen.io.vasp.inputs import Incar

    used = VaspInputs.read(folder)
    differences = _differences(requested, used)
    harmful = {key for key, (before, after) in differences.items() if not _harmless(key, before, after)}
    same_orbitals = harmful <= KEEP_ORBITALS and requested.kpoints() == used.kpoints()
    for name, text in requested.texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    if not same_orbitals:
        (folder / "WAVECAR").unlink(missing_ok=True)
    has_orbitals, has_density = (_filled(folder / name) for name in ("WAVECAR", "CHGCAR"))
    last = Incar.from_str(used.texts["INCAR"])
    kept = {key: last[key] for key in differences if key in last and key not in harmful}
    start = {"ISTART": int(has_orbitals), "ICHARG": 0 if has_orbitals else 1 if has_density else 2}
    incar = dict(Incar.from_str(requested.texts["INCAR"])) | kept | start
    Incar(incar).write_file(folder / "INCAR")


def _differences(requested: VaspInputs, used: VaspInputs) -> dict[str, tuple[Any, Any]]:
    """Return the INCAR keys that differ, with both values; None is an absent key without a fixed default."""
    before, after = (_defaults(inputs) | inputs.incar() for inputs in (requested, used))
    return {
        key: (before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if not _equal(before.get(key), after.get(key))
    }


def _defaults(inputs: VaspInputs) -> dict[str, Any]:
    functionals = {title.split()[0] for title in inputs.potcar()}
    gga = {GGA_OF_POTCAR[f] for f in functionals if f in GGA_OF_POTCAR}
    return DEFAULTS | ({"GGA": gga.pop()} if len(gga) == 1 else {})


def _harmless(key: str, before: Any, after: Any) -> bool:
    if key not in MAY_DIFFER:
        return False
    match key:
        case "ICHARG":
            return after is None or after < 10
        case "NBANDS":
            return after is None or before is None or after >= before
        case "ALGO":
            return after is None or (after[:1] in SELF_CONSISTENT and after not in NOT_SELF_CONSISTENT)
        case "ISIF":
            return bool(after >= 2)
        case "IBRION":
            return bool(after <= 3)  # higher values, such as vibrations, displace atoms even so
        case "IALGO":
            return after is None or after in SELF_CONSISTENT_IALGO
    return True


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if _number(a) and _number(b):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return type(a) is type(b) and a == b


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _titles(inputs: VaspInputs) -> str:
    return ", ".join(sorted(inputs.potcar())) or "absent"


def _filled(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0
