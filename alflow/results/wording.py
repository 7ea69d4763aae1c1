"""Settings and results in words: a name with a unit becomes a name, a value and a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

UNITS = {
    "_eV_per_atom": "eV/atom",
    "_eV_A3": "eV/Å³",
    "_eV_A2": "eV/Å²",
    "_eV_A": "eV/Å",
    "_per_fs": "1/fs",
    "_per_ps": "1/ps",
    "_A3": "Å³",
    "_A": "Å",
    "_eV": "eV",
    "_meV": "meV",
    "_Ry": "Ry",
    "_K": "K",
    "_GPa": "GPa",
    "_GB": "GB",
    "_fs": "fs",
    "_ps": "ps",
    "_s": "s",
}
"""Ending of a name → unit; an ending stands before its own endings, so the first match is right."""
LISTED = 6  # values of a list, at most


def spoken_name(name: str) -> tuple[str, str]:
    """Split a name into quantity and unit: ``cutoff_A`` becomes ``("cutoff", "Å")``."""
    for ending, unit in UNITS.items():
        if name.endswith(ending) and name != ending:
            return name.removesuffix(ending).replace("_", " "), unit
    return name.replace("_", " "), ""


def spoken(name: str, value: Any) -> str:
    """A setting or a result in words, such as ``cutoff 6 Å``."""
    words, unit = spoken_name(name)
    return " ".join(part for part in (words, spoken_value(value), unit) if part)


def spoken_value(value: Any) -> str:
    """A plain value in words, without a unit."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return f"({spoken_all(value)})"
    if isinstance(value, list | tuple):
        shown = list(map(spoken_value, value[:LISTED]))
        return ", ".join([*shown, f"… ({len(value)} in all)"] if len(value) > LISTED else shown)
    return str(value)


def spoken_all(values: Mapping[str, Any]) -> str:
    """Settings or results in words, one after the other, without those that are None."""
    return ", ".join(spoken(name, value) for name, value in values.items() if value is not None)


def spoken_pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names, and values with their units, in words, without those that are None."""
    found = []
    for name, value in values.items():
        if value is not None:
            words, unit = spoken_name(name)
            found.append((words, f"{spoken_value(value)} {unit}".rstrip()))
    return found


def shared_and_own(
    settings: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Split sets of settings into the common settings, and each set's own."""
    first = settings[0] if settings else {}
    shared = {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in settings)
    }
    own = [{name: value for name, value in each.items() if name not in shared} for each in settings]
    return shared, own
