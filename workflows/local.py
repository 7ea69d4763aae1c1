"""Local workers: processes that run fireworks one after the other, with one start-up per process."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from fireworks import FWorker, LaunchPad
from fireworks.core import rocket
from fireworks.core.rocket_launcher import launch_rocket
from pymongo.errors import PyMongoError

from alflow.errors import InputError
from alflow.states import CampaignState, Role
from alflow.store import Store
from alflow.store.migrations import bring_up_to_date
from alflow.store.slots import Slots
from workflows.recovery import LOCAL_PATIENCE_S, recover
from workflows.tasks.label import KEPT_VARIABLE

ROLES = tuple(Role)
LOG_LEVEL_VARIABLE = "ALFLOW_LOG_LEVEL"
IDLE_S = (0.02, 0.5)  # first and longest pause of a worker that finds nothing to do
WATCH_S = 0.25
CHECK_EVERY_S = 5.0
MAX_DEATHS = 50  # deaths of workers in one run: more of them mean a fault of the machine, not of the campaign
_log = logging.getLogger(__name__)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def work(launchpad: LaunchPad, roles: Sequence[str], *, keep_going: Callable[[], bool]) -> int:
    """Run fireworks of these roles in this process and directory; return their number.

    Raises
    ------
    InputError
        If a newer release of alflow has stored a campaign in this database.
    """
    rocket.ROCKET_STREAM_LOGLEVEL = "ERROR"
    rocket.PRINT_FW_JSON = False
    name = f"{socket.gethostname()}-{os.getpid()}"
    count, pause, trouble = 0, IDLE_S[0], ""
    directory = Path.cwd()
    slots = Slots(launchpad.db)
    _log.info("worker %s begins, for %s", name, ", ".join(roles))
    while keep_going():
        try:
            bring_up_to_date(launchpad.db)
            worker = FWorker(name=name, category=list(roles), query=_without_waiting(slots))
            ran = launch_rocket(launchpad, worker, strm_lvl="ERROR")
            if trouble:
                _log.warning("worker %s goes on", name)
            trouble = ""
        except InputError:
            raise
        except (PyMongoError, ValueError, RuntimeError) as error:
            # The database is away, or a round was set aside.
            if str(error) != trouble:
                _log.warning("worker %s has to wait: %s", name, error)
            ran, trouble = False, str(error)
        os.chdir(directory)
        count += ran
        pause = IDLE_S[0] if ran else min(1.5 * pause, IDLE_S[1])
        if not ran:
            time.sleep(pause)
    _log.info("worker %s ends; it has run %d fireworks", name, count)
    return count


def _without_waiting(slots: Slots) -> dict[str, Any]:
    """Query: fireworks that can run at once. A worker does not take labels that would wait for a slot."""
    if not (waiting := slots.campaigns_without()):
        return {}
    return {"$or": [{"spec.campaign": {"$nin": waiting}}, {"spec.label": {"$exists": False}}]}


def run_to_the_end(
    store: Store,
    launchpad: LaunchPad,
    name: str,
    *,
    directory: Path,
    workers: int,
    alone: bool = False,
    on_progress: Callable[[], None] = lambda: None,
) -> CampaignState:
    """Run a campaign with local workers until it ends; returns its end state.

    Parameters
    ----------
    directory
        Folder of the workers' scratch files and logs.
    workers
        Number of processes.
    alone
        No other process works on this database, so unfinished work was abandoned.
    on_progress
        Called a few times a second.
    """
    recover(store, launchpad, name, patience_s=0.0 if alone else LOCAL_PATIENCE_S)
    with _crew(launchpad, directory, ROLES, workers) as crew:
        while (state := CampaignState(store.campaigns.get(name)["state"])) == CampaignState.RUNNING:
            on_progress()
            if crew.mind() and recover(store, launchpad, name, patience_s=LOCAL_PATIENCE_S):
                crew.restart()
        on_progress()
    return state


def serve(store: Store, launchpad: LaunchPad, *, roles: Sequence[str], workers: int, directory: Path) -> None:
    """Run worker processes of these roles until no campaign of the database is running."""
    with _crew(launchpad, directory, roles, workers) as crew:
        while running := [
            n for n in store.campaigns.names() if store.campaigns.get(n)["state"] == CampaignState.RUNNING
        ]:
            rebuilt = [recover(store, launchpad, name) for name in running] if crew.mind() else []
            if any(rebuilt):
                crew.restart()


class _Crew:
    """Worker processes, each in a session of its own, so that Ctrl-C does not reach them directly."""

    def __init__(self, launchpad: LaunchPad, directory: Path, roles: Sequence[str]) -> None:
        self.order = json.dumps({"launchpad": launchpad.to_dict(), "roles": list(roles)})
        self.directory = directory
        self.processes: list[subprocess.Popen[str]] = []
        self.deaths = 0
        self.checked = time.monotonic()

    def start_one(self, number: int) -> subprocess.Popen[str]:
        scratch = self.directory / f"worker-{number}"
        scratch.mkdir(parents=True, exist_ok=True)
        with (self.directory / f"worker-{number}.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workflows.local"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=scratch,
                env={KEPT_VARIABLE: str(self.directory / "labels")}
                | os.environ
                | dict.fromkeys(THREADS, "1")
                | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
                text=True,
            )
        assert process.stdin is not None
        process.stdin.write(
            self.order + "\n"
        )  # not on the command line, which all users of the machine can read
        process.stdin.flush()
        return process

    def mind(self) -> bool:
        """Wait a moment and replace dead workers; return whether it is time for recovery."""
        time.sleep(WATCH_S)
        dead = [i for i, process in enumerate(self.processes) if process.poll() is not None]
        for index in dead:
            _log.warning("worker process %d died; another takes its place", self.processes[index].pid)
            self.processes[index] = self.start_one(index + 1)
        self.deaths += len(dead)
        if self.deaths > MAX_DEATHS:
            raise RuntimeError(
                f"{self.deaths} workers died; their last words are in {self.directory}/worker-*.log"
            )
        if not dead and time.monotonic() - self.checked < CHECK_EVERY_S:
            return False
        self.checked = time.monotonic()
        return True

    def restart(self) -> None:
        """Restart all workers: after a workflow was set aside, a worker may wait minutes for its lock."""
        self.end()
        self.processes = [self.start_one(number + 1) for number in range(len(self.processes))]

    def end(self) -> None:
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()


@contextmanager
def _crew(launchpad: LaunchPad, directory: Path, roles: Sequence[str], workers: int) -> Iterator[_Crew]:
    crew = _Crew(launchpad, directory, roles)
    try:
        for number in range(1, workers + 1):
            crew.processes.append(crew.start_one(number))
        yield crew
    finally:
        crew.end()


def main() -> None:
    """Run a worker process. It reads its orders from stdin, and ends when their sender has ended."""
    order = json.loads(sys.stdin.readline())
    parent = os.getppid()
    _configure_logging()
    work(LaunchPad.from_dict(order["launchpad"]), order["roles"], keep_going=lambda: os.getppid() == parent)


def _configure_logging() -> None:
    """Write a worker's log to stderr, at the level that `ALFLOW_LOG_LEVEL` names.

    Other packages log warnings only: at lower levels, some would log network traffic.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    level = logging.getLevelNamesMapping().get(os.environ.get(LOG_LEVEL_VARIABLE, "INFO").upper())
    for package in ("alflow", "workflows", "qm_interfaces"):
        logging.getLogger(package).setLevel(logging.INFO if level is None else level)


if __name__ == "__main__":
    main()
