"""How fast and how safe the embedded database is under FireWorks; see docs/database.md.

python benchmarks/database.py               the embedded database: launches, memory, kill -9, two workers
python benchmarks/database.py --uri URI     launches and two workers on a server that is running elsewhere
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from fireworks import Firework, FWorker, LaunchPad, PyTask, Workflow
from fireworks.core.rocket_launcher import rapidfire
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from alflow.store.embedded import EmbeddedDatabase

KEPT = (0, 300, 1000, 3000)
LAUNCHES = 20
FIREWORKS_PER_WORKFLOW = 20
WRITERS = 4


@contextmanager
def launchpad(uri: str) -> Iterator[LaunchPad]:
    """An empty LaunchPad, dropped afterwards."""
    pad = LaunchPad(uri, name="alflow_benchmark", uri_mode=True, strm_lvl="CRITICAL")
    pad.reset("", require_password=False, max_reset_wo_password=10**9)
    try:
        yield pad
    finally:
        pad.connection.drop_database(pad.name)
        pad.connection.close()


def workflow(count: int) -> Workflow:
    return Workflow([Firework(PyTask(func="time.time"), name=f"label {i}") for i in range(count)])


def milliseconds_per_launch(uri: str, kept: int) -> float:
    """Mean time from one launch to the next with `kept` finished fireworks left in the LaunchPad."""
    with launchpad(uri) as pad:
        if kept:
            pad.bulk_add_wfs(
                [workflow(FIREWORKS_PER_WORKFLOW) for _ in range(kept // FIREWORKS_PER_WORKFLOW)]
            )
        for collection in (pad.fireworks, pad.workflows):
            collection.update_many({}, {"$set": {"state": "COMPLETED"}})
        pad.add_wf(workflow(LAUNCHES))
        start = time.perf_counter()
        rapidfire(pad, FWorker(), nlaunches=LAUNCHES, sleep_time=0, strm_lvl="CRITICAL")
        return 1e3 * (time.perf_counter() - start) / LAUNCHES


def server_process(directory: Path) -> int:
    return int(json.loads((directory / "server.json").read_text())["pid"])


def memory_MB(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def disk_MB(directory: Path) -> float:
    return sum(512 * file.stat().st_blocks for file in directory.rglob("*") if file.is_file()) / 1e6


def write_until_the_server_dies(uri: str, acknowledged: list[str]) -> None:
    """Insert and update documents, noting each one after both were acknowledged."""
    with suppress(PyMongoError), MongoClient[Any](uri, serverSelectionTimeoutMS=200) as client:
        collection = client.durability.writes
        while True:
            name = uuid4().hex
            collection.insert_one({"_id": name, "state": "waiting", "payload": b"0" * 3000})
            collection.find_one_and_update({"_id": name}, {"$set": {"state": "done"}})
            acknowledged.append(name)


def lost_writes(directory: Path, rounds: int) -> tuple[int, int]:
    """Documents inserted and updated, and how many of them are not so after `kill -9` of the server."""
    acknowledged: list[str] = []
    database = EmbeddedDatabase(directory)
    for _ in range(rounds):
        uri = database.start()
        writers = [
            threading.Thread(target=write_until_the_server_dies, args=(uri, acknowledged))
            for _ in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        time.sleep(random.uniform(0.5, 2.0))
        os.kill(server_process(directory), signal.SIGKILL)
        for writer in writers:
            writer.join()
    with database as uri, MongoClient[Any](uri) as client:
        found = {document["_id"] for document in client.durability.writes.find({"state": "done"}, {"_id": 1})}
    return len(acknowledged), len(set(acknowledged) - found)


def two_workers(uri: str, count: int = 200) -> tuple[float, int, int]:
    """Seconds for two `rlaunch rapidfire` at once, fireworks run more than once, fireworks not run."""
    with launchpad(uri) as pad, tempfile.TemporaryDirectory() as folder:
        pad.add_wf(
            Workflow([Firework(PyTask(func="os.getcwd", stored_data_varname="at")) for _ in range(count)])
        )
        settings = Path(folder) / "my_launchpad.yaml"
        pad.to_file(str(settings))
        rlaunch = [str(Path(sys.executable).parent / "rlaunch"), "-s", "-l", str(settings), "rapidfire"]
        start = time.perf_counter()
        workers = [subprocess.Popen(rlaunch, cwd=folder, stdout=subprocess.DEVNULL) for _ in range(2)]
        for worker in workers:
            worker.wait()
        seconds = time.perf_counter() - start
        launches = list(pad.launches.aggregate([{"$group": {"_id": "$fw_id", "times": {"$sum": 1}}}]))
        repeated = sum(launch["times"] > 1 for launch in launches)
        return seconds, repeated, count - pad.fireworks.count_documents({"state": "COMPLETED"})


def measure(uri: str) -> None:
    for kept in KEPT:
        print(f"{kept:6d} fireworks kept   {milliseconds_per_launch(uri, kept):8.1f} ms a launch", flush=True)
    seconds, repeated, missing = two_workers(uri)
    print(f"two workers, 200 fireworks: {seconds:.1f} s, {repeated} run twice, {missing} not run", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uri", help="measure this server in place of the embedded one")
    parser.add_argument("--rounds", type=int, default=5, help="how often to kill the server amid writes")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if options.uri:
            measure(options.uri)
            return
        directory = Path(folder) / "database"
        start = time.perf_counter()
        with EmbeddedDatabase(directory) as uri:
            print(f"first start {time.perf_counter() - start:.1f} s", flush=True)
            measure(uri)
            print(
                f"memory {memory_MB(server_process(directory)):.0f} MB, disk {disk_MB(directory):.0f} MB",
                flush=True,
            )
        acknowledged, lost = lost_writes(directory, options.rounds)
        print(
            f"kill -9, {options.rounds} rounds: {acknowledged} documents acknowledged, {lost} lost",
            flush=True,
        )


if __name__ == "__main__":
    main()
