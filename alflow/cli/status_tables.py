"""An overview for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from alflow.cli.output import terminal_table

if TYPE_CHECKING:
    from alflow.results import Overview

STYLES = {"finished": "green", "running": "cyan", "failed": "red", "stopped": "yellow", "paused": "yellow"}
"""By state, of a campaign or of a run."""


def render(overview: Overview, newest_rounds: int | None = None) -> Group:
    """Head and tables of an overview; with `newest_rounds`, only that number of newest rounds."""
    head = Text.assemble(
        (overview.campaign, "bold"),
        " · ",
        (overview.state, STYLES.get(overview.state, "")),
        f" · {overview.subtitle}\n",
        (f"{overview.errors}\n" if overview.errors else "", "bold"),
        f"{overview.situation}\n{overview.label_counts}",
        *(f"\n{line}" for line in overview.advice_lines),
    )
    tables = [table for table in overview.tables(newest_rounds) if table.rows]
    return Group(head, *(terminal_table(table.columns, table.rows, STYLES) for table in tables))
