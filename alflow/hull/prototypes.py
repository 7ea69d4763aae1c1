"""Known structure types decorated with the species, from the AFLOW prototypes that pymatgen contains.

The library is that of Mehl et al., Comput. Mater. Sci. 136, S1 (2017).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from itertools import permutations
from typing import Any

from ase import Atoms

from alflow.errors import InputError


def prototypes(names: Sequence[str], max_atoms: int) -> list[tuple[str, Atoms]]:
    """Structure types, as primitive cells with the elements of the type's example.

    Parameters
    ----------
    names
        Strukturbericht symbols (`L1_2`), AFLOW labels (`AB3_cP4_221_a_c`) or minerals (`Cubic Laves`); an
        empty sequence means all.
    max_atoms
        Larger cells are left out unless `names` contains them.

    Raises
    ------
    InputError
        If a name is unknown or pymatgen is not installed.
    """
    library = _library()
    if not names:
        return [
            (entry["tags"]["aflow"], _atoms(entry))
            for entry in library
            if len(entry["snl"]["sites"]) <= max_atoms
        ]
    found = []
    for name in names:
        entries = [
            entry
            for entry in library
            if name in map(entry["tags"].get, ("strukturbericht", "aflow", "mineral"))
        ]
        if not entries:
            raise InputError(
                f"prototype {name!r} is unknown; give a Strukturbericht symbol such as L1_2, "
                f"an AFLOW label such as AB3_cP4_221_a_c, or a mineral"
            )
        found += [(name, _atoms(entry)) for entry in entries]
    return found


def decorations(prototype: Atoms, species: Sequence[str]) -> Iterator[Atoms]:
    """Yield the prototype with its elements replaced by distinct species, in all ways."""
    elements = sorted(set(prototype.symbols))
    for chosen in permutations(species, len(elements)):
        replacement = dict(zip(elements, chosen, strict=True))
        atoms = prototype.copy()
        atoms.symbols = [replacement[symbol] for symbol in prototype.symbols]
        yield atoms


def _library() -> list[dict[str, Any]]:
    try:
        # only the data file is read: pymatgen's module takes seconds to build its own objects
        packed = files("pymatgen.analysis") / "prototypes" / "aflow_prototypes.json.gz"
        library: list[dict[str, Any]] = json.loads(gzip.decompress(packed.read_bytes()))
    except (ImportError, FileNotFoundError):
        raise InputError(
            "prototypes need a recent pymatgen, which is not installed: pip install 'alflow[hull]'"
        ) from None
    return library


def _atoms(entry: dict[str, Any]) -> Atoms:
    sites = entry["snl"]["sites"]
    return Atoms(
        [site["species"][0]["element"] for site in sites],
        cell=entry["snl"]["lattice"]["matrix"],
        scaled_positions=[site["abc"] for site in sites],
        pbc=True,
    )
