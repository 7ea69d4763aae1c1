"""`alflow run`: a campaign from its file to its end, on this machine."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alflow.cli.database_options import LaunchpadOption, UriOption, campaign_folder, connected
from alflow.cli.output import JsonOption, print_json, print_note
from alflow.cli.progress_lines import ProgressLines, campaign_line

if TYPE_CHECKING:
    from alflow.cli.database_options import Connection
    from alflow.results import Overview
    from alflow.store import Store

SHOWN_EVERY_S = 0.5
ROUNDS_SHOWN = 8
SHARE_OF_LOOKING = 0.05  # largest share of the time for status updates: counting many candidates is slow


def run(
    campaign: Annotated[Path, typer.Argument(help="Campaign file (YAML).")],
    workers: Annotated[int, typer.Option("--workers", "-n", min=1, help="Local worker processes.")] = (
        os.cpu_count() or 1
    ),
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Run a campaign to its end: embedded database and local workers, live progress.

    Without a terminal (`alflow run FILE > log 2>&1`), progress is lines: each round, else every 10 s at most.

    You can interrupt or kill it; the same command continues the campaign. Results are in the folder runs/
    beside the campaign file: after every round the potential (NAME.mtp; NAME.almtp with grades) and
    training.extxyz, at the end report.html and the hull/ of a screening; and my_launchpad.yaml for FireWorks'
    commands.

    Example: alflow run examples/cu_emt.yaml
    """
    from alflow.campaign.file import load_campaign
    from alflow.cli.campaign_views import overview
    from alflow.results.potential_files import write_potential_files
    from alflow.states import CampaignState
    from workflows.local import run_to_the_end
    from workflows.preflight import require_ready
    from workflows.submission import check, submit

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a queue's time limit acts as an interrupt
    config = load_campaign(campaign)
    check(config)
    require_ready(config)
    folder = campaign_folder(campaign)
    with connected(str(campaign), uri, launchpad, create=True) as connection:
        store, name = connection.store, connection.campaign
        for sentence in submit(store, connection.launchpad, config):
            print_note(sentence)
        store.campaigns.set_folder(name, folder)
        progress = _Progress(connection, shown=not json)
        try:
            with progress:
                run_to_the_end(
                    store,
                    connection.launchpad,
                    name,
                    directory=folder / "workers",
                    workers=workers,
                    alone=connection.alone,
                    on_progress=progress.show,
                )
        except KeyboardInterrupt:
            write_potential_files(store, name, folder)
            print_note(f"interrupted; `alflow run {campaign}` goes on from here")
            raise typer.Exit(130) from None
        final = overview(store, name)
        files = [str(path) for path in _write_results(store, name, folder)]
    if json:
        print_json(final.as_dict() | {"files": files})
    else:
        print_note(f"{name} {final.state}: {final.reason}\n" + "\n".join(files))
    if final.state == CampaignState.FAILED:
        raise typer.Exit(1)


def _write_results(store: Store, name: str, folder: Path) -> list[Path]:
    """Write the potential, its training set, the kind's own results and the report; return their paths."""
    from alflow.cli.campaign_views import page
    from alflow.report import build_report
    from alflow.results.potential_files import write_potential_files

    written = write_potential_files(store, name, folder)
    if not written:
        return []
    found = page(store, name)
    return [*written, *found.write_files(folder), build_report(found, folder / "report.html")]


class _Progress:
    """The overview as a live table, or as lines for a log; nothing if a script reads the output."""

    def __init__(self, connection: Connection, *, shown: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self.connection = connection
        self.due = 0.0
        self.shown = shown
        self.console = Console(stderr=True)
        self.lines = None if self.console.is_terminal else ProgressLines()
        self.live = None if self.lines or not shown else Live(console=self.console, refresh_per_second=4)
        self.newest: Overview | None = None

    def __enter__(self) -> None:
        if self.live is not None:
            self.live.start()

    def __exit__(self, *error: Any) -> None:
        from alflow.cli.status_tables import render

        if self.live is not None:
            self.live.stop()
        elif self.lines is not None and self.newest is not None:
            self.lines.finish()
            self.console.print(render(self.newest, ROUNDS_SHOWN))

    def show(self) -> None:
        from alflow.cli.campaign_views import overview
        from alflow.cli.status_tables import render

        began = time.monotonic()
        if self.shown and began > self.due:
            self.newest = overview(self.connection.store, self.connection.campaign)
            if self.live is not None:
                self.live.update(render(self.newest, ROUNDS_SHOWN))
            elif self.lines is not None:
                self.lines(campaign_line(self.newest), event=(self.newest.state, self.newest.round))
            looked_s = time.monotonic() - began
            self.due = began + max(SHOWN_EVERY_S, looked_s / SHARE_OF_LOOKING)
