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

if TYPE_CHECKING:
    from alflow.cli.database_options import Connection

SHOWN_EVERY_S = 0.5


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

    Safe to interrupt, or to be killed: the same command goes on where it was. Results go to the folder runs/
    beside the campaign file: the potential (.mtp), report.html, my_launchpad.yaml for FireWorks' commands.
    """
    from alflow.campaign_file import load_campaign
    from alflow.store import overview
    from workflows.submission import check, submit
    from workflows.local import run_to_the_end

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a queue's end of time is an interrupt
    config = load_campaign(campaign)
    check(config)
    folder = campaign_folder(campaign)
    with connected(str(campaign), uri, launchpad, create=True) as connection:
        store, name = connection.store, connection.campaign
        submit(store, connection.launchpad, config)
        progress = _Progress(connection, live=not json)
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
            print_note(f"interrupted; `alflow run {campaign}` goes on from here")
            raise typer.Exit(130) from None
        final = overview(store, name)
        final["files"] = _write_results(connection, folder)
    if json:
        print_json(final)
    else:
        print_note(f"{name} {final['state']}: {final['reason']}\n" + "\n".join(final["files"]))
    if final["state"] == "failed":
        raise typer.Exit(1)


def _write_results(connection: Connection, folder: Path) -> list[str]:
    """The newest potential and the report; their paths."""
    from alflow.report import build_report, gather

    store, name = connection.store, connection.campaign
    newest = store.potentials.latest(name)
    if newest is None:
        return []
    potential = folder / f"{name}.mtp"
    potential.write_text(store.potentials.mtp(name, newest["version"]))
    return [str(potential), str(build_report(gather(store, name), folder / "report.html"))]


class _Progress:
    """The overview as a live table; nothing at all where a script reads the output."""

    def __init__(self, connection: Connection, *, live: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self.connection = connection
        self.shown = 0.0
        self.live = Live(console=Console(stderr=True), refresh_per_second=4) if live else None

    def __enter__(self) -> None:
        if self.live is not None:
            self.live.start()

    def __exit__(self, *error: Any) -> None:
        if self.live is not None:
            self.live.stop()

    def show(self) -> None:
        from alflow.cli.status import render
        from alflow.store import overview

        if self.live is not None and time.monotonic() - self.shown > SHOWN_EVERY_S:
            self.shown = time.monotonic()
            self.live.update(
                render(overview(self.connection.store, self.connection.campaign), rounds_shown=8)
            )
