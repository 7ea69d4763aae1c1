"""`kill -9` of every process of the running main job at five random moments, then the same command again.

    python benchmarks/kill.py

After each kill the database, which was killed too, is started again and read: which labels are finished, and
how often each was begun. Nothing that was finished may be begun again or be missing at the end.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import psutil

from alflow.cli.database_options import campaign_folder, connected

EXAMPLE = Path(__file__).parents[1] / "examples" / "li_300K.yaml"
Finished = dict[str, tuple[int, datetime, float]]


def start(file: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from alflow.cli import main; main()", "run", str(file), "--json"]
    workers = str(len(os.sched_getaffinity(0)))
    return subprocess.Popen([*command, "--workers", workers], stdout=subprocess.DEVNULL)


def kill_all(leader: int, folder: Path) -> int:
    """Kill the command, its workers, their labels and the database at once; how many processes."""
    family = {leader: psutil.Process(leader)} | {
        child.pid: child for child in psutil.Process(leader).children(recursive=True)
    }
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter(["cmdline", "cwd"]):
        about = [process.info["cwd"] or "", *(process.info["cmdline"] or [])]
        if process.pid not in own and any(str(folder) in text for text in about):
            family[process.pid] = process
    for process in family.values():
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    return len(family)


def finished_labels(file: Path) -> tuple[Finished, int]:
    """Attempts, time and energy of each finished label; how many attempts there were in all."""
    with connected(str(file), None, None, create=True) as connection:
        labels = list(connection.store.labels.collection.find())
    done = {
        str(d["_id"]): (d["attempts"], d["ended"], d["energy_eV"]) for d in labels if d["state"] == "done"
    }
    return done, sum(label["attempts"] for label in labels)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("runs/kill"), help="emptied at the beginning")
    parser.add_argument("--within", type=float, default=60.0, help="kill within so many seconds of running")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = Path(shutil.copy(EXAMPLE, folder))

    chance = random.Random(arguments.seed)
    moments = sorted(chance.uniform(0, arguments.within) for _ in range(5))
    before: Finished = {}
    print("| ran for (s) | processes killed | finished labels | attempts | repeated | lost |")
    print("|---|---|---|---|---|---|")
    for moment, last in zip(moments, [0.0, *moments], strict=False):
        process = start(file)
        time.sleep(moment - last)
        killed = kill_all(process.pid, folder)
        process.wait()
        before = _compare(f"{moment - last:.1f} | {killed}", before, file)
    began = time.monotonic()
    code = start(file).wait()
    _compare(f"{time.monotonic() - began:.1f}, to the end, exit code {code} | –", before, file)
    print(f"\nresults: {', '.join(sorted(p.name for p in campaign_folder(file).glob('*.*')))}")


def _compare(cells: str, before: Finished, file: Path) -> Finished:
    now, attempts = finished_labels(file)
    lost = sum(label not in now for label in before)
    repeated = sum(label in now and now[label] != before[label] for label in before)
    print(f"| {cells} | {len(now)} | {attempts} | {repeated} | {lost} |", flush=True)
    return now


if __name__ == "__main__":
    main()
