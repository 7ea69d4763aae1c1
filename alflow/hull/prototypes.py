"""Known structure types with the species put in, from the AFLOW prototypes that pymatgen carries.

The library is that of Mehl et al., Comput. Mater. Sci. 136, S1 (2017).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

from ase import Atoms

from alflow.errors import InputError


def prototypes(names: Sequence[str]) -> list[tuple[str, Atoms]]:
    """Structure types by Strukturbericht symbol (`L1_2`), AFLOW label (`AB3_cP4_221_a_c`) or mineral.

    Parameters
    ----------
    names
        Empty for all of them, some 290.

    Returns
    -------
    list of (name, Atoms)
        Primitive cells with the elements of the type's example.

    Raises
    ------
    InputError
        If a name is unknown or pymatgen is not installed.
    """
    try:
        from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY
    except ImportError:
        raise InputError(
            "prototypes need pymatgen, which is not installed: pip install 'alflow[hull]'"
        ) from None
    if not names:
        return [(entry["tags"]["aflow"], _atoms(entry)) for entry in AFLOW_PROTOTYPE_LIBRARY]
    found = []
    for name in names:
        entries = [
            entry
            for entry in AFLOW_PROTOTYPE_LIBRARY
            if name in (entry["tags"]["strukturbericht"], entry["tags"]["aflow"], entry["tags"]["mineral"])
        ]
        if not entries:
            raise InputError(
                f"prototype {name!r} is unknown; give a Strukturbericht symbol such as L1_2, "
                f"an AFLOW label such as AB3_cP4_221_a_c, or a mineral"
            )
        found += [(name, _atoms(entry)) for entry in entries]
    return found


def decorations(prototype: Atoms, species: Sequence[str]) -> Iterator[Atoms]:
    """The prototype with its elements replaced by different ones of the species, in all ways."""
    elements = sorted(set(prototype.symbols))
    for chosen in permutations(species, len(elements)):
        replacement = dict(zip(elements, chosen, strict=True))
        atoms = prototype.copy()
        atoms.symbols = [replacement[symbol] for symbol in prototype.symbols]
        yield atoms


def _atoms(entry: dict[str, Any]) -> Atoms:
    structure = entry["snl"].structure
    return Atoms(
        [site.specie.symbol for site in structure],
        cell=structure.lattice.matrix,
        scaled_positions=structure.frac_coords,
        pbc=True,
    )
