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
SHARE_OF_LOOKING = 0.05  # of the time, where counting many candidates takes long


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
    beside the campaign file: the potential (.mtp), the hull/ of a screening, report.html, and
    my_launchpad.yaml for FireWorks' commands.
    """
    from alflow.campaign.file import load_campaign
    from alflow.store import overview
    from workflows.local import run_to_the_end
    from workflows.submission import check, submit

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
    """The newest potential (of each stage), the hull of a screening, and the report; their paths."""
    from alflow.cli.report import gathered
    from alflow.report import HullData, build_report, write_hull

    written = _write_potentials(connection, folder)
    if not written:
        return []
    data = gathered(connection)
    if isinstance(data, HullData):
        write_hull(data, folder / "hull")
        written.append(folder / "hull")
    written.append(build_report(data, folder / "report.html"))
    return [str(path) for path in written]


def _write_potentials(connection: Connection, folder: Path) -> list[Path]:
    store, name = connection.store, connection.campaign
    newest = {version["stage"]: version["version"] for version in store.potentials.history(name)}
    written = []
    for stage, version in newest.items():
        path = folder / (f"{name}.mtp" if len(newest) == 1 else f"{name}-{stage + 1}.mtp")
        path.write_text(store.potentials.mtp(name, version))
        written.append(path)
    return written


class _Progress:
    """The overview as a live table; nothing at all where a script reads the output."""

    def __init__(self, connection: Connection, *, live: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self.connection = connection
        self.due = 0.0
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

        began = time.monotonic()
        if self.live is not None and began > self.due:
            facts = overview(self.connection.store, self.connection.campaign)
            self.live.update(render(facts, rounds_shown=8))
            looked_s = time.monotonic() - began
            self.due = began + max(SHOWN_EVERY_S, looked_s / SHARE_OF_LOOKING)
