"""Options to begin with, for each QM code: pseudopotentials of this machine, cutoffs, k-points."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase import Atoms

from qm_interfaces.interface import CodeMissing, SettingsError

PSEUDOPOTENTIAL_FOLDERS = ("/usr/share/espresso/pseudo",)  # of Debian's quantum-espresso-data
FUNCTIONALS = ("pbe", "pbesol", "pz")  # in the order of preference
UNUSUAL = ("rel-", "star1s", "gipaw", "coulomb", "-ae")  # spin-orbit, core holes, bare nuclei
CUTOFFS_RY = {"NC": (60.0, 240.0), "US": (45.0, 360.0), "USPP": (45.0, 360.0), "PAW": (50.0, 400.0)}
"""Cutoffs of wave functions and density, by type, where a file recommends none."""
K_SPACING_PER_A = 0.3
EMT_SPECIES = {"Al", "Ni", "Cu", "Pd", "Ag", "Pt", "Au"}


@dataclass(frozen=True)
class Suggestion:
    """A section `qm` to begin with.

    Attributes
    ----------
    interface
        Name of the interface.
    options
        Its options.
    remarks
        What to look at, one line each.
    """

    interface: str
    options: dict[str, Any]
    remarks: list[str] = field(default_factory=list)


def suggest(name: str, structures: Sequence[Atoms]) -> Suggestion:
    """Suggest options of a code for structures.

    Raises
    ------
    SettingsError
        If there is no suggestion for this code, or none for these structures.
    CodeMissing
        If this machine has no pseudopotentials for them.
    """
    if name not in SUGGESTIONS:
        raise SettingsError(f"--qm is {name!r}, but it must be one of {', '.join(SUGGESTIONS)}")
    species = sorted({symbol for atoms in structures for symbol in atoms.symbols})
    return SUGGESTIONS[name](species)


def _espresso(species: Sequence[str]) -> Suggestion:
    named = os.environ.get("ESPRESSO_PSEUDO")
    folders = [Path(folder) for folder in ((named,) if named else PSEUDOPOTENTIAL_FOLDERS)]
    files = [file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir())]
    for functional in FUNCTIONALS:
        found = {symbol: _best(files, symbol, functional) for symbol in species}
        chosen = {symbol: file for symbol, file in found.items() if file is not None}
        if len(chosen) == len(species):
            break
    else:
        lacking = [s for s in species if not any(_best(files, s, f) for f in FUNCTIONALS)]
        what = f"no pseudopotential of {', '.join(lacking)}" if lacking else "no functional common to all"
        raise CodeMissing(
            f"{', '.join(map(str, folders))} has {what}: set ESPRESSO_PSEUDO to a folder with files such as "
            f"{(lacking or list(species))[0]}.pbe-….UPF (SSSP and PseudoDojo offer them)"
        )
    cutoffs = [_cutoffs_Ry(file) for file in chosen.values()]
    return Suggestion(
        "espresso",
        {
            "pseudopotentials": {symbol: str(file) for symbol, file in chosen.items()},
            "ecutwfc_Ry": max(wave for wave, _ in cutoffs),
            "ecutrho_Ry": max(density for _, density in cutoffs),
            "kpoints": {"spacing_per_A": K_SPACING_PER_A},
        },
        [
            f"pseudopotentials for the functional {functional} were found on this machine",
            "converge ecutwfc_Ry and the spacing of k-points (1/Å, 2π included) before you trust them",
        ],
    )


def _best(files: Sequence[Path], symbol: str, functional: str) -> Path | None:
    """The pseudopotential of a species for a functional; files that recommend cutoffs come first."""
    pattern = re.compile(rf"{symbol}[._]{functional}[-_.].*\.upf", re.IGNORECASE)
    fitting = [
        file
        for file in files
        if pattern.fullmatch(file.name) and not any(word in file.name.lower() for word in UNUSUAL)
    ]
    return min(fitting, key=lambda file: (not any(_recommended_Ry(file)), file.name), default=None)


def _recommended_Ry(file: Path) -> tuple[float, float]:
    head = file.read_text(encoding="utf-8", errors="replace")[:20_000]
    found = [
        re.search(rf"Suggested minimum cutoff for {what}:\s*([\d.]+)", head)
        for what in ("wavefunctions", "charge density")
    ]
    wave, density = (float(match[1].rstrip(".")) if match else 0.0 for match in found)
    return wave, density


def _cutoffs_Ry(file: Path) -> tuple[float, float]:
    wave, density = _recommended_Ry(file)
    head = file.read_text(encoding="utf-8", errors="replace")[:20_000]
    kind = re.search(r'pseudo_type="\s*(\w+)|Pseudopotential type:\s*(\w+)', head)
    usual = CUTOFFS_RY.get((kind[1] or kind[2]) if kind else "", CUTOFFS_RY["US"])
    wave = wave or usual[0]
    return wave, max(density, usual[1] if density == 0 else 4 * wave)


def _vasp(species: Sequence[str]) -> Suggestion:
    from qm_interfaces.vasp_inputs import potcar_titles

    folder = Path(os.environ.get("VASP_PP_PATH", ""), "potpaw_PBE")
    titles = {}
    for symbol in species:
        file = folder / symbol / "POTCAR"
        if not os.environ.get("VASP_PP_PATH") or not file.is_file():
            raise CodeMissing(
                f"there is no {file}: set VASP_PP_PATH to the folder that holds potpaw_PBE, which names the "
                "POTCAR files of the campaign"
            )
        titles[symbol] = potcar_titles(file.read_text(encoding="utf-8", errors="replace"))[0]
    return Suggestion(
        "vasp",
        {
            "xc": "pbe",
            "incar": {"ENCUT": 520, "ISMEAR": 0, "SIGMA": 0.05, "EDIFF": 1e-6, "PREC": "Accurate"},
            "kpoints": {"spacing_per_A": K_SPACING_PER_A},
            "potcar": titles,
        },
        ["ISMEAR 0 suits metals and insulators; converge ENCUT and the spacing of k-points"],
    )


def _gpaw(species: Sequence[str]) -> Suggestion:
    return Suggestion(
        "ase",
        {
            "calculator": "gpaw.GPAW",
            "allow": ["gpaw"],
            "parameters": {
                "mode": {"name": "pw", "ecut": 400},
                "xc": "PBE",
                "kpts": {"density": 4.0, "gamma": True},
                "occupations": {"name": "fermi-dirac", "width": 0.1},
                "convergence": {"energy": 1e-6, "density": 1e-6},
                "symmetry": "off",
                "txt": "gpaw.txt",
            },
        },
        ["ecut in eV, density in points per 1/Å; converge both"],
    )


def _emt(species: Sequence[str]) -> Suggestion:
    if strange := sorted(set(species) - EMT_SPECIES):
        raise SettingsError(
            f"ASE's EMT has no parameters for {', '.join(strange)}; it knows {', '.join(sorted(EMT_SPECIES))}"
        )
    return Suggestion(
        "ase",
        {"calculator": "ase.calculators.emt.EMT"},
        ["EMT is for trying out; another ASE calculator goes here by its import path"],
    )


def _orbital_free(species: Sequence[str]) -> Suggestion:
    from qm_interfaces.pseudopotentials import BUILT_IN

    known = {symbol: name for name, elements in BUILT_IN.items() for symbol in elements}
    if strange := sorted(set(species) - set(known)):
        raise SettingsError(
            f"orbital-free DFT has no pseudopotential of {', '.join(strange)}; it has {', '.join(known)}"
        )
    return Suggestion("orbital-free", {"pseudopotentials": {symbol: known[symbol] for symbol in species}})


def _pyscf(species: Sequence[str]) -> Suggestion:
    options = {"method": "pbe", "basis": "def2-svp"}
    return Suggestion("pyscf", options, ["set charge and unpaired_electrons if they are not zero"])


def _gaussian(species: Sequence[str]) -> Suggestion:
    options = {"method": "b3lyp", "basis": "6-31G(d)"}
    return Suggestion("gaussian", options, ["set charge and unpaired_electrons if they are not zero"])


SUGGESTIONS: dict[str, Callable[[Sequence[str]], Suggestion]] = {
    "espresso": _espresso,
    "vasp": _vasp,
    "gpaw": _gpaw,
    "pyscf": _pyscf,
    "gaussian": _gaussian,
    "orbital-free": _orbital_free,
    "ase": _emt,
    "emt": _emt,
}
