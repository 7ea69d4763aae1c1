"""Comparison of two levels of theory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def level_differences(asked: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """List the differences, one phrase per key: "incar.ENCUT is 300.0 instead of 400.0"."""
    before, after = _flat(asked), _flat(given)
    return [
        f"{key} is {after.get(key, 'not set')} instead of {before.get(key, 'not set')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _flat(level: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in level.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat
