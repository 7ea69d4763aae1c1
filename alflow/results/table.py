"""Tables as plain values, for any renderer: a terminal, a page, a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | int | float | None
"""None stands for an unknown value."""


@dataclass(frozen=True)
class Table:
    """A table; each row has one cell per column. Units are part of the columns' names."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
