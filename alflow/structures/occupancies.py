"""Crystals whose sites are not each filled by one atom: partial occupancies, vacancies, mixed sites.

ASE's readers keep the atoms of such files and put the occupancies aside, or drop them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io.cif import CIFBlock, parse_cif

from alflow.errors import InputError

OCCUPANCY_TOLERANCE = 1e-3
_ARRAYS = ("occupancy", "occupancies", "site_occupancy", "occ")
_FIXED = 10.0  # SHELX adds 10 to a value that its refinement keeps fixed
_EQUIVALENT = re.compile(r"scaled_positions (\d+) and (\d+) are equivalent")


def disorder(atoms: Atoms) -> str | None:
    """The rest of a sentence on the first site that is not filled by one atom; None if there is none."""
    site = _partial_site(atoms)
    if site is None:
        return None
    return f"has a site that holds {site}; every site takes one whole atom, so choose an ordered structure"


def _partial_site(atoms: Atoms) -> str | None:
    sites = atoms.info.get("occupancy")
    if isinstance(sites, dict):
        for site in sites.values():
            shares = [float(share) for share in site.values()] if isinstance(site, dict) else [float(site)]
            if len(shares) != 1 or abs(shares[0] - 1) > OCCUPANCY_TOLERANCE:
                return _described(site) if isinstance(site, dict) else f"{shares[0]:g} of an atom"
    for name in _ARRAYS:
        shares_of_atoms = np.asarray(atoms.arrays.get(name, ()))
        if shares_of_atoms.shape != (len(atoms),) or shares_of_atoms.dtype.kind not in "if":
            continue
        # Files without occupancies may have zeros there.
        partial = np.flatnonzero(np.abs(shares_of_atoms - 1) > OCCUPANCY_TOLERANCE)
        if len(partial) and shares_of_atoms.any() and (shares_of_atoms >= 0).all():
            return f"{shares_of_atoms[partial[0]]:g} {atoms.symbols[int(partial[0])]}"
    return None


def _described(site: dict[str, float]) -> str:
    return " and ".join(f"{share:g} {symbol}" for symbol, share in site.items())


def read_cif(path: Path) -> Iterator[Atoms]:
    """The structures of a CIF file as ASE reads them; sites that several elements share are in `info`.

    ASE keeps the first of several atoms whose sites are equivalent by symmetry. That is right for an atom
    that is listed twice, and wrong for atoms of different elements.
    """
    with path.open("rb") as file:
        blocks = list(parse_cif(file))
    for block in blocks:
        if block.has_structure():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                atoms = block.get_atoms()
            if disorder(atoms) is None and (shared := _shared_site(block)):
                atoms.info["occupancy"] = {"0": dict.fromkeys(shared, 1.0)}
            yield atoms


def _shared_site(block: CIFBlock) -> list[str]:
    """Symbols of different elements on equivalent sites; empty if there are none."""
    sites = block.get_unsymmetrized_structure()
    if sites.cell.rank < 3:
        return []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        block.get_spacegroup(True).equivalent_sites(sites.get_scaled_positions(), onduplicates="warn")
    for warning in caught:
        if found := _EQUIVALENT.search(str(warning.message)):
            symbols = {sites.symbols[int(index)] for index in found.groups()}
            if len(symbols) > 1:
                return sorted(symbols)
    return []


def check_res(path: Path, atoms: Atoms) -> None:
    """Check what ASE's reader of SHELX files leaves out, and keep the occupancies as an array.

    Raises
    ------
    InputError
        If the file holds the asymmetric unit of a crystal with symmetry.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    words = [line.split() for line in lines if line.strip()]
    symmetric = [w for w in words if w[0].upper() == "SYMM" or (w[0].upper() == "LATT" and w[1:2] != ["-1"])]
    if symmetric:
        raise InputError(
            f"{path}: holds the asymmetric unit of a crystal with symmetry ({' '.join(symmetric[0])}), which "
            "is not the whole cell; write it in P1, or as CIF"
        )
    begin = next((place for place, w in enumerate(words) if w[0].upper() == "SFAC"), len(words))
    shares = [_float(w[5]) for w in words[begin + 1 :] if len(w) >= 6 and w[1].isdigit()]
    if len(shares) == len(atoms):
        atoms.set_array("occupancy", np.array([s - _FIXED if s >= _FIXED else s for s in shares]))


def check_cell(path: Path, atoms: Atoms) -> None:
    """Keep the mixed sites of a CASTEP `.cell` file, which ASE's reader drops, in `info`."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if mixture := re.search(r"MIXTURE\s*[:=]?\s*\(?\s*\d+\s+([\d.]+)", text, re.IGNORECASE):
        atoms.info["occupancy"] = {"0": {"of the atoms of a MIXTURE": float(mixture.group(1))}}


def _float(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float("nan")
