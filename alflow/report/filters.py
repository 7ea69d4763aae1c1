"""Filters that write numbers and formulas on pages."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from markupsafe import Markup, escape

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def number(value: float | None, digits: int = 3) -> str:
    """A number with `digits` significant digits and separated thousands; a dash for None and NaN."""
    if value is None or not math.isfinite(value):
        return "–"
    if isinstance(value, int) or value == 0 or abs(value) >= 10**digits:
        return f"{value:,.0f}".replace(",", "\u202f")
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def duration(seconds: float | None) -> str:
    """A time with two significant digits, in a suitable unit; a dash for None and NaN."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{number(seconds / size, 2)} {unit}"
    return f"{number(seconds, 2)} s"


def meV(value_eV: float | None) -> str:
    """An energy in eV, as meV."""
    return "–" if value_eV is None else f"{1000 * value_eV:.1f}"


def with_subscripts(formula: str) -> str:
    """A formula with subscripts, such as Cu₃Pd."""
    return formula.translate(SUBSCRIPTS)


def sentence(text: str) -> str:
    """The text with a capital at the beginning and a full stop at the end."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def code(text: str) -> Markup:
    """The text with `marked` words as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "duration": duration,
    "json": _json,
    "code": code,
    "formula": with_subscripts,
    "meV": meV,
    "sentence": sentence,
}
"""The filters of all templates."""
