"""Names in MLIP's `.cfg` files, and what they are called in ASE's structures."""

from __future__ import annotations

import re

from ase.calculators.calculator import all_properties

STRESS_ORDER = ("xx", "yy", "zz", "yz", "xz", "xy")
PLUS_STRESS_KEY = "mlip_PlusStress"
GRADES_COLUMN, GRADES_KEY = "nbh_grades", "extrapolation_grades"
GHOST_COLUMN = GHOST_KEY = "ghost"
# Columns that MLIP-3 knows besides positions, forces, ghosts and grades; they keep their names.
OTHER_COLUMNS = (
    "site_en",
    "charge",
    *(f"magmom_{axis}" for axis in "xyz"),
    *(f"en_der_m{axis}" for axis in "xyz"),
)

_RENAMED = {"MV_grade": "extrapolation_grade", "alflow_id": "id"}
_NAMES_OF_KEYS = {key: name for name, key in _RENAMED.items()}
_PREFIX = "mlip_"
# A Feature of one of these names would be taken for a result or for geometry in other files.
_TAKEN = {
    *all_properties,
    *_RENAMED.values(),
    *("lattice", "pbc", "cell", "properties", "positions", "numbers", "species", "constraints", "move_mask"),
    *("virial", "virials", "force", "plusstress"),
}
_ESCAPES = {" ": r"\_", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_ESCAPED = {escaped: character for character, escaped in _ESCAPES.items()}


def key_of_feature(name: str) -> str:
    """The key in `Atoms.info` for a Feature's name as it stands in the file.

    A name that ASE or alflow takes for something else gets the prefix ``mlip_``.
    """
    name = re.sub(r"\\[_tnr]", lambda match: _ESCAPED[match[0]], name)
    return _RENAMED.get(name) or (_PREFIX + name if _is_taken(name) else name)


def feature_of_key(key: str) -> str:
    """The inverse of `key_of_feature`."""
    if key in _NAMES_OF_KEYS:
        return _NAMES_OF_KEYS[key]
    if key.startswith(_PREFIX) and _is_taken(key):
        key = key.removeprefix(_PREFIX)
    return re.sub(r"[ \t\n\r]", lambda match: _ESCAPES[match[0]], key)


def _is_taken(name: str) -> bool:
    while name.startswith(_PREFIX):
        name = name.removeprefix(_PREFIX)
    return name.lower() in _TAKEN
