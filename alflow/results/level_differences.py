"""Levels of theory of one campaign, compared in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CODE_KEYS = ("interface", "code", "calculator", "imported")
MOST_SHOWN = 4
MOST_CHARACTERS = 40  # of a value
_CHECKSUM = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}")


def level_differences(levels: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each level of theory after the first: in what it differs from the first.

    Checksums of files, such as those of pseudopotentials, are not shown: they are "another file".
    """
    if len(levels) < 2:
        return []
    first = dict(_flat(levels[0]))
    return [
        f"level {number} differs from level 1: {_differences(first, dict(_flat(level)))}"
        for number, level in enumerate(levels[1:], start=2)
    ]


def _differences(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    names = [name for name in {**first, **other} if first.get(name) != other.get(name)]
    codes = [name for name in names if name in CODE_KEYS]
    said = [
        _said(name, first.get(name), other.get(name)) for name in codes or names
    ]  # all differs with the code
    left = len(said) - MOST_SHOWN
    return "; ".join(said[:MOST_SHOWN]) + (f"; and {left} more" if left > 0 else "")


def _said(name: str, before: Any, after: Any) -> str:
    if all(isinstance(value, str) and _CHECKSUM.fullmatch(value) for value in (before, after)):
        return f"{name} is another file"
    return f"{name} is {_short(after)} instead of {_short(before)}"


def _short(value: Any) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


def _flat(level: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in level.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
