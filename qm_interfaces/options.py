"""Checks of single options, with one sentence for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from qm_interfaces.interface import SettingsError


def number(name: str, value: Any, *, above: float | None = None, low: float | None = None) -> float:
    """`value` as a float, greater than `above` or at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise SettingsError(f"option {name!r} is {value!r}: it must be a number")
    if above is not None and not value > above:
        raise SettingsError(f"option {name!r} is {value!r}: it must be greater than {above:g}")
    if low is not None and not value >= low:
        raise SettingsError(f"option {name!r} is {value!r}: it must be at least {low:g}")
    return float(value)


def integer(name: str, value: Any, *, low: int | None = None) -> int:
    """`value` as an integer, of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int) or (low is not None and value < low):
        least = "" if low is None else f" of at least {low}"
        raise SettingsError(f"option {name!r} is {value!r}: it must be a whole number{least}")
    return value


def text(name: str, value: Any) -> str:
    """`value`, one line that is not empty."""
    if not isinstance(value, str) or not value.strip() or len(value.splitlines()) > 1:
        raise SettingsError(f"option {name!r} is {value!r}: it must be a text of one line")
    return value.strip()


def choice(name: str, value: Any, choices: Collection[str]) -> str:
    """`value`, one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise SettingsError(f"option {name!r} is {value!r}: it must be one of {', '.join(sorted(choices))}")
    return value


def flag(name: str, value: Any) -> bool:
    """`value`, true or false."""
    if not isinstance(value, bool):
        raise SettingsError(f"option {name!r} is {value!r}: it must be true or false")
    return value


def mapping(name: str, value: Any) -> dict[str, Any]:
    """`value`, a mapping from strings to plain values (what JSON can hold)."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SettingsError(f"option {name!r} is {value!r}: it must be a mapping from names to values")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"option {name!r} must hold plain values only, but {error}") from error
    return value
