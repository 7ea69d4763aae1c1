"""The output of commands: JSON for scripts, tables for people; progress and notes go to stderr."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from alflow.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from alflow.potentials.errors import Errors
    from alflow.structures.label_names import LabelKeys

KeysOption = Annotated[
    str | None,
    typer.Option(help="Names of labels, e.g. energy=REF_energy,forces=REF_forces. Default: found."),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", help="Format of the structures where the name misleads: mlip-cfg, or ASE's name."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]

EV_A3_IN_GPA = 160.21766208
SHORT = 16  # characters of a cell that is not wrapped, if there is room
LEAST = 6  # characters of a column of text
BORDERS = 3  # characters beside a column


def print_json(data: Any) -> None:
    """Print one JSON document; arrays, dates, paths and dataclasses are converted, NaN becomes null."""
    typer.echo(json_text(data))


def json_text(data: Any) -> str:
    """One JSON document, as `print_json` prints it."""
    return json.dumps(_plain(data), indent=2, ensure_ascii=False)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; columns of numbers are right-aligned, and None is shown as a dash."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    console.print(Text(title, style="bold"))
    console.print(terminal_table(columns, [list(row) for row in rows]))


def terminal_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], styles: Mapping[str, str] | None = None
) -> Table:
    """A table for a terminal; `styles` maps the text of a cell to its style."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    numeric, least, natural = [], [], []
    for index, column in enumerate(columns):
        values = [row[index] for row in rows]
        texts = [_text(value) for value in values]
        numeric.append(bool(values) and all(v == "" or isinstance(v, int | float | None) for v in values))
        words = [*column.split(), *(text for text in texts if len(text) <= SHORT)]
        least.append(max(map(len, words), default=0))
        natural.append(max(map(len, (column, *texts))))
    room = Console().width - BORDERS * len(columns) - 1
    for column, number, width in zip(columns, numeric, _widths(least, natural, numeric, room), strict=True):
        justify: Literal["left", "right"] = "right" if number else "left"
        table.add_column(column, justify=justify, width=width, overflow="fold")
    for row in rows:
        texts = [_text(value) for value in row]
        # A reason may hold [brackets]: no markup.
        table.add_row(*(Text(text, style=(styles or {}).get(text, "")) for text in texts))
    return table


def _widths(
    least: Sequence[int], natural: Sequence[int], numeric: Sequence[bool], room: int
) -> Sequence[int]:
    """Widths of columns that fit in the room together; only text is wrapped, the longest most.

    Rich would cut columns off instead.
    """
    if sum(natural) <= room:
        return natural
    widths = list(least)
    texts = [index for index, number in enumerate(numeric) if not number]
    while sum(widths) > room and any(widths[index] > LEAST for index in texts):
        widths[max(texts, key=widths.__getitem__)] -= 1
    for _ in range(room - sum(widths)):
        widths[max(range(len(widths)), key=lambda index: natural[index] / max(widths[index], 1))] += 1
    return widths


def print_errors(title: str, errors: Mapping[str, Errors]) -> None:
    """Print the errors of a potential on named sets of structures, in meV per atom, eV/Å and GPa.

    The errors of forces and stress are those of components.
    """
    rows = []
    for name, found in errors.items():
        head: list[Any] = [name, found.structures]
        for quantity, unit, factor in (
            ("energy_{}_eV_per_atom", "energy, meV/atom", 1e3),
            ("force_{}_eV_A", "force, eV/Å", 1.0),
            ("stress_{}_eV_A3", "stress, GPa", EV_A3_IN_GPA),
        ):
            values = [factor * getattr(found, quantity.format(kind)) for kind in ("mae", "rmse", "max")]
            rows.append([*head, unit, *(None if math.isnan(v) else v for v in values)])
            head = ["", ""]  # told once per set
    print_table(title, ["set", "count", "quantity", "MAE", "RMSE", "max"], rows)


def print_note(text: str) -> None:
    """Print one line for people on stderr, so that stdout stays the result."""
    typer.echo(text, err=True)


class _NoteHandler(logging.Handler):
    """Prints each message once, however often a command reads a file."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self._shown:
            self._shown.add(message)
            print_note(message)


def show_notes_of_readers() -> None:
    """Show what readers of files log, such as frames that were set aside, as notes on stderr."""
    logger = logging.getLogger("alflow.structures")
    for handler in [handler for handler in logger.handlers if isinstance(handler, _NoteHandler)]:
        logger.removeHandler(handler)  # of an earlier command in this process
    logger.addHandler(_NoteHandler())


def parse_keys(text: str | None) -> LabelKeys:
    """Names of labels from `energy=REF_energy,forces=REF_forces`; without a text, they are found.

    Raises
    ------
    InputError
        If the text is of another form.
    """
    from alflow.structures.label_names import LabelKeys

    return LabelKeys() if text is None else LabelKeys.parse(text)


def parse_species(text: str | None) -> list[str] | None:
    """Chemical symbols from `Cu,Pd` or `Cu Pd`.

    Raises
    ------
    InputError
        If a word is not a chemical symbol, or occurs twice.
    """
    from ase.data import chemical_symbols

    if text is None:
        return None
    symbols = text.replace(",", " ").split()
    for symbol in symbols:
        if symbol not in chemical_symbols[1:] or symbols.count(symbol) > 1:
            raise InputError(f"--species is '{text}'; it takes different chemical symbols such as Cu,Pd")
    return symbols


def check_writable(path: Path) -> None:
    """Check an output path before the work begins.

    Raises
    ------
    InputError
        If its folder does not exist, the path is a folder, or you may not write there.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{path}: you may not write there; choose another place")


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if isinstance(value, str | int | None) else str(value)
