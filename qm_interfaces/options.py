"""Checks of single options. Each raises SettingsError with one sentence if the value is wrong."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from qm_interfaces.interface import SettingsError


def number(name: str, value: Any, *, above: float | None = None, low: float | None = None) -> float:
    """Return `value` as a float; it must be greater than `above` and at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise SettingsError(f"option {name!r} is {value!r}: it must be a number")
    if above is not None and not value > above:
        raise SettingsError(f"option {name!r} is {value!r}: it must be greater than {above:g}")
    if low is not None and not value >= low:
        raise SettingsError(f"option {name!r} is {value!r}: it must be at least {low:g}")
    return float(value)


def integer(name: str, value: Any, *, low: int | None = None) -> int:
    """Return `value`; it must be an integer of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int) or (low is not None and value < low):
        least = "" if low is None else f" of at least {low}"
        raise SettingsError(f"option {name!r} is {value!r}: it must be a whole number{least}")
    return value


def text(name: str, value: Any) -> str:
    """Return `value` without outer spaces; it must be one line that is not empty."""
    if not isinstance(value, str) or not value.strip() or len(value.splitlines()) > 1:
        raise SettingsError(f"option {name!r} is {value!r}: it must be one line of text")
    return value.strip()


def choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Return `value`; it must be one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise SettingsError(f"option {name!r} is {value!r}: it must be one of {', '.join(sorted(choices))}")
    return value


def flag(name: str, value: Any) -> bool:
    """Return `value`; it must be true or false."""
    if not isinstance(value, bool):
        raise SettingsError(f"option {name!r} is {value!r}: it must be true or false")
    return value


def mapping(name: str, value: Any) -> dict[str, Any]:
    """Return `value`; it must be a mapping from strings to plain values, as JSON has them."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SettingsError(f"option {name!r} is {value!r}: it must be a mapping from names to values")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"option {name!r} must hold plain values only, but {error}") from error
    return value
