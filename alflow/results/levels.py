"""Levels of theory in words: names of codes, functionals and pseudopotentials instead of checksums."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alflow.results.wording import spoken_pairs

PSEUDOPOTENTIAL_FOLDER = "ESPRESSO_PSEUDO"
HEADER_BYTES = 100_000  # the functional of a UPF file stands in its header
FUNCTIONAL = re.compile(r'functional="\s*([^"]+?)\s*"|^\s*(.+?)\s+Exchange-Correlation functional', re.M)


@dataclass(frozen=True)
class Code:
    """A QM code: its name and kind of method in words, keys of its references."""

    name: str
    method: str
    cites: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """Method and code."""
        return self.method if self.name in self.method else f"{self.method} ({self.name})"


CODES = {
    "dftpy": Code("DFTpy", "orbital-free density functional theory", ("Shao2021",)),
    "quantum-espresso": Code(
        "Quantum ESPRESSO", "density functional theory with plane waves", ("Giannozzi2017",)
    ),
    "vasp": Code("VASP", "density functional theory with plane waves", ("Kresse1996", "Kresse1999")),
    "pyscf": Code("PySCF", "quantum chemistry with Gaussian basis functions", ("Sun2020",)),
    "gaussian": Code("Gaussian", "quantum chemistry with Gaussian basis functions"),
    "ase": Code("ASE", "a calculator of ASE", ("Larsen2017",)),
    "mock": Code("ASE", "a calculator of ASE", ("Larsen2017",)),
}
"""By the name of the code in levels of theory."""
DETAILS = {
    ("kinetic", "WT"): ("Wang–Teter", "Wang1992"),
    ("xc", "PBE"): ("PBE", "Perdew1996"),
    ("method", "pbe"): ("PBE", "Perdew1996"),
    ("functional", "PBE"): ("PBE", "Perdew1996"),
    ("calculator", "emt"): ("effective-medium theory (EMT)", "Jacobsen1996"),
}
"""Values of levels of theory that have a longer name and a reference."""
NAMES = {
    "kinetic": "kinetic-energy functional",
    "xc": "exchange–correlation functional",
    "spacing_A": "grid_spacing_A",
    "ecutwfc_Ry": "cutoff_of_wave_functions_Ry",
    "ecutrho_Ry": "cutoff_of_density_Ry",
}
"""Keys of levels of theory that need more words."""
BUILT_IN = {"evanescent-core": "Fiolhais1995"}
"""References of pseudopotentials that have a name."""


def named_level(level: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """A level of theory with names of pseudopotentials, and their functional where their files say it.

    Parameters
    ----------
    level
        As stored: pseudopotentials are checksums.
    options
        `qm.options` of the campaign.
    """
    checksums = level.get("pseudopotentials")
    if not isinstance(checksums, Mapping):
        return dict(level)
    chosen = options.get("pseudopotentials") or (
        dict.fromkeys(checksums, "evanescent-core") if level.get("code") == "dftpy" else {}
    )
    names = {species: _name(chosen.get(species), checksum) for species, checksum in checksums.items()}
    found = {_functional(chosen.get(species), checksum) for species, checksum in checksums.items()} - {None}
    named = {**level, "pseudopotentials": names}
    return named | ({"functional": ", ".join(sorted(map(str, found)))} if found else {})


def level_rows(
    level: Mapping[str, Any], options: Mapping[str, Any], species: Collection[str]
) -> list[tuple[str, str]]:
    """Names and values of a level of theory in words, with the pseudopotentials of these species only."""
    named = named_level(level, options)
    if isinstance(named.get("pseudopotentials"), Mapping):
        named["pseudopotentials"] = {
            symbol: name for symbol, name in named["pseudopotentials"].items() if symbol in species
        }
    code = CODES.get(str(level.get("code")))
    spoken = {key: DETAILS[(key, str(value))][0] if (key, str(value)) in DETAILS else value
              for key, value in named.items() if value not in ({}, [])}  # fmt: skip
    for key, value in spoken.items():
        if isinstance(value, Mapping):
            spoken[key] = "; ".join(f"{name}: {each}" for name, each in value.items() if each is not None)
    if code is not None and level["code"] != "mock":
        spoken["code"] = code.name
    return spoken_pairs({NAMES.get(key, key): value for key, value in spoken.items()})


def level_references(level: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Keys of the references of a level of theory: the code, the functional, pseudopotentials."""
    named = named_level(level, options)
    code = CODES.get(str(level.get("code")))
    keys = list(code.cites) if code else []
    keys += [DETAILS[key, str(value)][1] for key, value in named.items() if (key, str(value)) in DETAILS]
    pseudopotentials = named.get("pseudopotentials")
    if isinstance(pseudopotentials, Mapping):
        keys += [BUILT_IN[name] for name in pseudopotentials.values() if name in BUILT_IN]
    return list(dict.fromkeys(keys))


def _name(chosen: Any, checksum: str) -> str:
    """Name of a pseudopotential; its checksum if nothing else is known."""
    if chosen is None:
        return f"sha256 {checksum}"
    if isinstance(chosen, Mapping):
        return "evanescent core, " + ", ".join(f"{key} = {value}" for key, value in chosen.items())
    return Path(str(chosen)).name


def _functional(chosen: Any, checksum: str) -> str | None:
    """The functional that a pseudopotential file names; None if this file is not here or is another."""
    if not isinstance(chosen, str):
        return None
    file = Path(os.environ.get(PSEUDOPOTENTIAL_FOLDER, "")) / chosen
    try:
        content = file.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest()[: len(checksum)] != checksum:
        return None
    found = FUNCTIONAL.search(content[:HEADER_BYTES].decode(errors="replace"))
    return " ".join(next(filter(None, found.groups())).split()) if found else None
