"""What 400,000 candidates cost the database, and a gathering of them that is killed; see docs/database.md.

python benchmarks/candidate_pool.py times   µs per candidate of what a screening asks of a pool that grows
python benchmarks/candidate_pool.py kill    the worker that gathers them, killed with `kill -9` twice
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from database import disk_MB, memory_MB, server_process

from alflow.campaign.file import parse_campaign
from alflow.states import CandidateState
from alflow.store import Store
from alflow.store.embedded import EmbeddedDatabase
from workflows.hull_screening.schema import Screening
from workflows.hull_screening.sources import documents
from workflows.launchpad import open_launchpad
from workflows.local import work
from workflows.recovery import recover
from workflows.submission import submit
from workflows.tasks.gather import WRITTEN_AT_ONCE

NAME = "pool"
SIZES = (10_000, 40_000, 100_000, 400_000)
REPEATS = 5  # of what takes milliseconds: the server's clock has ticks of 10


def pool(max_atoms: int = 10) -> Screening:
    """Ternary orderings on four lattices, at two volumes; with 10 atoms enough for all `SIZES`."""
    lattices = {"fcc": max_atoms, "bcc": max_atoms, "hcp": max_atoms, "sc": max_atoms - 2}
    campaign = parse_campaign(
        {
            "name": NAME,
            "species": ["Al", "Ni", "Ti"],
            "candidates": [{"lattice": lattice, "max_atoms": n} for lattice, n in lattices.items()],
            "volume_factors": [0.98, 1.02],
            "stages": [{"potential": {"level": 8, "cutoff_A": 5.0}}],
            "qm": {"interface": "mock"},
        }
    )
    assert isinstance(campaign, Screening)
    return campaign


class Stopwatch:
    """Microseconds per candidate of processor time (this process and the server) and of wall time."""

    def __init__(self, server: int) -> None:
        self.server = psutil.Process(server)
        self.spent: dict[str, np.ndarray] = {}

    @contextmanager
    def __call__(self, what: str, candidates: int) -> Iterator[None]:
        """Time a block; of the same thing done again, the sum."""
        began = self._clocks()
        yield
        spent = 1e6 * (self._clocks() - began) / candidates
        self.spent[what] = self.spent.get(what, 0.0) + spent

    def _clocks(self) -> np.ndarray:
        server = self.server.cpu_times()
        return np.array([time.process_time() + server.user + server.system, time.perf_counter()])


def times() -> None:
    config, table = pool(), []
    stream, size = documents(config), 0
    with tempfile.TemporaryDirectory() as folder, EmbeddedDatabase(folder) as uri:
        store, server = Store.connect(uri, NAME), server_process(Path(folder))
        for larger in SIZES:
            watch = Stopwatch(server)
            _gather(store, islice(stream, larger - size), larger - size, watch)
            print(f"peak memory after gathering {larger:,}: {peak_MB():.0f} MB", flush=True)
            size = larger
            _divide(store, config, size, watch)
            _relax(store, config, watch)
            _look(store, size, watch)
            table.append(watch.spent)
            print({what: spent.round(1).tolist() for what, spent in watch.spent.items()}, flush=True)
        print(f"server {memory_MB(server):.0f} MB, on disk {disk_MB(Path(folder)):.0f} MB")
    print(f"| µs per candidate: processor (wall) | {' | '.join(f'{size:,}' for size in SIZES)} | ratio |")
    print("|---|" + "---|" * (len(SIZES) + 1))
    for what in table[0]:
        row = [column[what] for column in table]
        cells = " | ".join(f"{cpu:.3g} ({wall:.3g})" for cpu, wall in row)
        print(f"| {what} | {cells} | {row[-1][0] / row[0][0]:.2f} |")


def peak_MB() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _gather(store: Store, stream: Iterator[dict[str, Any]], count: int, watch: Stopwatch) -> None:
    """The last of the pool, by which it grows to this size."""
    for _ in range(0, count, WRITTEN_AT_ONCE):
        with watch("enumerate", count):
            part = list(islice(stream, WRITTEN_AT_ONCE))
        with watch("insert", count):
            assert store.candidates.add(NAME, part) == len(part)
    with watch("offer again what is stored", REPEATS * len(part)):
        for _ in range(REPEATS):
            assert store.candidates.add(NAME, part) == 0


def _divide(store: Store, config: Screening, size: int, watch: Stopwatch) -> None:
    with watch("find an element of each species", size):
        for index in range(len(config.species)):
            assert store.candidates.has(NAME, **{f"fractions.{index}": 1.0, "reason": None})
    sample = config.screen.first_sample
    with watch("sample of 500 that wait, per candidate of it", REPEATS * sample):
        for _ in range(REPEATS):
            assert len(store.candidates.ids(NAME, 0, CandidateState.WAITING, limit=sample)) == sample
    with watch("all that wait", size):
        members = store.candidates.ids(NAME, 0, CandidateState.WAITING)
    with watch("make chunks", size):
        count = -(-len(members) // config.screen.chunk)
        store.chunks.create(NAME, size, [members[number::count] for number in range(count)])


def _relax(store: Store, config: Screening, watch: Stopwatch) -> None:
    """What a worker of a round does but for the relaxation, with one chunk."""
    members = store.candidates.ids(NAME, 0, CandidateState.WAITING, limit=config.screen.chunk)
    with watch("read a chunk", len(members)):
        candidates = store.candidates.get(members)
    facts = {
        "state": CandidateState.RELAXED,
        "version": 1,
        "round": 1,
        "extrapolation_grade": 1.5,
        "energies.0": -3.0,
    }
    with watch("write its results", len(members)):
        store.candidates.write(
            (candidate["_id"], facts | {"atoms": candidate["atoms"]}) for candidate in candidates
        )


def _look(store: Store, size: int, watch: Stopwatch) -> None:
    with watch("count stages and states", size):
        assert sum(store.candidates.counts(NAME)[0].values()) == size
    relaxed = store.candidates.counts(NAME)[0][CandidateState.RELAXED]
    with watch("outdated ones, per relaxed candidate", relaxed):
        assert len(store.candidates.ids(NAME, 0, CandidateState.RELAXED, version={"$lt": 2})) == relaxed
    with watch("energies of a stage", size):
        assert len(store.candidates.energies(NAME, 0)[0]) == relaxed


def gather(uri: str) -> None:
    """What a worker does that takes up the gathering; it prints its own peak of memory."""
    launchpad = open_launchpad(uri)
    store = Store(launchpad.db)
    recover(store, launchpad, NAME, patience_s=0.0)
    work(launchpad, ["explore"], keep_going=lambda: not store.chunks.is_finished(NAME, 0, 0))
    print(f"peak memory of the worker: {peak_MB():.0f} MB", flush=True)


def kill(max_atoms: int) -> None:
    began = time.perf_counter()
    expected = {document["name"] for document in documents(pool(max_atoms))}
    print(f"{len(expected)} candidates, enumerated in {time.perf_counter() - began:.1f} s", flush=True)
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, EmbeddedDatabase(Path(folder) / "database") as uri:
        os.chdir(folder)
        launchpad = open_launchpad(uri)
        store = Store(launchpad.db)
        submit(store, launchpad, pool(max_atoms))
        for wanted in (len(expected) // 3, 2 * len(expected) // 3, None):
            before, began = store.candidates.collection.estimated_document_count(), time.perf_counter()
            worker = spawn.Process(target=gather, args=(uri,))
            worker.start()
            first_new = None
            while worker.is_alive():
                worker.join(0.5)
                stored = store.candidates.collection.estimated_document_count()
                if first_new is None and stored > before:
                    first_new = time.perf_counter() - began
                if wanted is not None and stored >= wanted:
                    worker.kill()
                    worker.join()
            print(
                f"{before} stored before, something new after {first_new:.1f} s, {stored} after "
                f"{time.perf_counter() - began:.1f} s, exit code {worker.exitcode}",
                flush=True,
            )
        names = [c["name"] for c in store.candidates.collection.find({"campaign": NAME}, {"name": 1})]
        print(
            f"{len(expected)} expected, {len(expected - set(names))} missing, "
            f"{len(names) - len(set(names))} twice, {len(set(names) - expected)} unexpected"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("times", "kill"))
    parser.add_argument("--max-atoms", type=int, default=10, help="of the pool to kill: 8 for a smaller one")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    if options.what == "times":
        times()
    else:
        kill(options.max_atoms)


if __name__ == "__main__":
    main()
