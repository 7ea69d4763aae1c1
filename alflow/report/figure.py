"""A figure of a report with its caption and its data; drawn as SVG and PNG, and written as CSV, here only."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from alflow.files import write_completely

if TYPE_CHECKING:  # Matplotlib loads slowly, and workers do not draw.
    from matplotlib.figure import Figure

Column = Sequence[Any] | NDArray[Any]
SCREEN_DPI = 180  # of the parts of an SVG that are pixels
PRINT_DPI = 300


@dataclass(frozen=True)
class DataTable:
    """The numbers that a figure shows, all of them, in columns of equal length.

    Attributes
    ----------
    columns
        Name with the unit → values.
    """

    columns: Mapping[str, Column]

    @classmethod
    def of_sets(cls, key: str, sets: Mapping[str, Mapping[str, Column]]) -> DataTable:
        """Several sets with the same columns, one below the other; the column `key` names the set."""
        names = list(next(iter(sets.values()), {}))
        rows = {name: len(columns[names[0]]) for name, columns in sets.items()} if names else {}
        return cls(
            {key: [name for name, count in rows.items() for _ in range(count)]}
            | {column: [value for columns in sets.values() for value in columns[column]] for column in names}
        )

    def csv(self) -> str:
        """CSV text with a line of names; numbers have all their digits, unknown ones are empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_cell(value) for value in row] for row in zip(*self.columns.values(), strict=True))
        return text.getvalue()


@dataclass(frozen=True)
class ReportFigure:
    """A figure. Equal data give equal bytes in every format.

    Attributes
    ----------
    name
        Name of its files.
    caption
        The text below it, as sentences.
    table
    draw
        Function that draws it; it is called with the style of reports in force.
    """

    name: str
    caption: str
    table: DataTable
    draw: Callable[[], Figure]

    @cached_property
    def svg(self) -> str:
        """The figure as SVG text."""
        buffer = io.BytesIO()
        self._save(buffer, format="svg", metadata={"Date": None}, transparent=True, dpi=SCREEN_DPI)
        return buffer.getvalue().decode()

    @property
    def png(self) -> bytes:
        """The figure as a PNG file on white, for print."""
        buffer = io.BytesIO()
        self._save(buffer, format="png", metadata={"Software": None}, facecolor="white", dpi=PRINT_DPI)
        return buffer.getvalue()

    @property
    def address(self) -> str:
        """The SVG as an address that holds its own data."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()

    def write(self, folder: Path) -> list[Path]:
        """Write PNG, SVG and CSV to a folder; return the paths."""
        contents = {"png": self.png, "svg": self.svg.encode(), "csv": self.table.csv().encode()}
        for suffix, content in contents.items():
            write_completely(folder / f"{self.name}.{suffix}", content)
        return [folder / f"{self.name}.{suffix}" for suffix in contents]

    def _save(self, buffer: io.BytesIO, **options: Any) -> None:
        from matplotlib import rc_context

        from alflow.report.style import STYLE

        with rc_context(STYLE):
            self.draw().savefig(buffer, **options)


def _cell(value: Any) -> Any:
    """A number with all its digits; an empty cell for None and NaN."""
    value = value.item() if hasattr(value, "item") else value
    return "" if value is None or value != value else value
