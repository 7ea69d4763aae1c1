"""What a kept trajectory costs: time of the MD loop, space in the database, memory.

    taskset -c 1 python benchmarks/trajectories.py              the loop, 128 atoms, level 16, with grades
    taskset -c 1 python benchmarks/trajectories.py --every 1    the loop, when each step is kept
    taskset -c 1 python benchmarks/trajectories.py --large 100000 20     memory of so many atoms and frames

Times are CPU times of the worker; the database is a process of its own. The loops take turns.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from kernel import crystal, random_potential

from alflow.explorers import EXPLORERS, Run
from alflow.explorers.protocol import Trajectory
from alflow.potentials import PotentialCalculator
from alflow.selection import ActiveSet
from alflow.simulation import GradeControl, MDSettings, run_md
from alflow.store import Store
from alflow.store.embedded import EmbeddedDatabase
from workflows.explorer_host import StoreHost
from workflows.launchpad import open_launchpad


@contextmanager
def claimed_run(start: Atoms) -> Iterator[tuple[Store, dict[str, Any]]]:
    """A store on an embedded database, and the document of a claimed run."""
    settings = {"structure": "start", "temperature_K": 300, "steps": 10**6, "guards": {}}
    settings |= {"ensemble": "nve", "timestep_fs": 0.1}
    plan = EXPLORERS.get("md").RunSettings.model_validate(settings)
    with tempfile.TemporaryDirectory() as folder, EmbeddedDatabase(Path(folder)) as uri:
        store = Store(open_launchpad(uri).db)
        store.explorers.create("c", [("md", Run("md", plan, [start], 10**6, Trajectory(1)))])
        run = store.explorers.claim("c", 0, 1)
        assert run is not None
        yield store, run


def host(store: Store, run: dict[str, Any], every: int, velocities: bool) -> StoreHost:
    """The host of a new segment."""
    run["segment"] += 1
    run["trajectory"] = {"every": every, "velocities": velocities}
    return StoreHost(store, run, 1, control=GradeControl(), version=1)


def save(own: StoreHost, step: int) -> None:
    """A checkpoint, without which frames do not count."""
    own.save_progress({"step": step}, step=step, history={"step": np.array([step])})


def stored_bytes(store: Store, run: dict[str, Any]) -> int:
    """Size of the files of the run's present segment."""
    files = store.explorers.files
    listed = files.listed(campaign="c", explorer=0, kind="trajectory")
    return sum(len(files.get(name)) for name, data in listed if data["segment"] == run["segment"])


def loop(every: int, steps: int, runs: int) -> None:
    """The MD loop without and with frames."""
    potential = random_potential()
    active_set = ActiveSet.from_structures(potential, [crystal(1, 4, seed) for seed in range(3)])
    start = crystal(1, 4)
    calculator = PotentialCalculator(potential, active_set=active_set)
    settings = MDSettings(ensemble="nvt", temperature_K=300, steps=steps, timestep_fs=0.1)
    cases = {"none": (0, False), "positions": (every, False), "positions and velocities": (every, True)}
    times: dict[str, list[float]] = {name: [] for name in cases}
    space: dict[str, float] = {}
    with claimed_run(start) as (store, run):
        for repetition in range(runs + 1):
            for name, (interval, velocities) in cases.items():
                own = host(store, run, interval, velocities)
                began = time.process_time()
                run_md(start, calculator, settings, visit=own.visit)
                save(own, steps)
                if repetition:  # the first is a warm-up
                    times[name].append(time.process_time() - began)
                frames = steps // interval + 1 if interval else 0
                space[name] = stored_bytes(store, run) / frames / len(start) if frames else 0.0
    print(f"128 atoms, nvt, {steps} steps, a frame every {every}, median of {runs}\n")
    print("| kept | µs per step | ratio | spread | bytes per atom and frame |\n|---|---|---|---|---|")
    alone = np.median(times["none"])
    for name, found in times.items():
        middle = float(np.median(found))
        ratios = np.sort(np.array(found) / np.array(times["none"]))
        print(
            f"| {name} | {1e6 * middle / steps:.0f} | {middle / alone:.3f} | "
            f"{ratios[0]:.3f}–{ratios[-1]:.3f} | {space[name]:.1f} |"
        )


def peak_MB() -> float:
    """Largest memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def large(atoms: int, frames: int) -> None:
    """Keep and read frames of a crystal whose atoms are displaced anew in each."""
    repeat = round((atoms / 2) ** (1 / 3))
    start = crystal(1, repeat)
    random = np.random.default_rng(0)
    moving = start.copy()
    with claimed_run(start) as (store, run):
        own = host(store, run, 1, False)
        before_MB, began, cpu = peak_MB(), time.perf_counter(), time.process_time()
        for step in range(frames):
            moving.positions = start.positions + random.normal(scale=0.1, size=start.positions.shape)
            own.visit(moving, step, 1.0)
        save(own, frames - 1)
        wrote_s, wrote_cpu = time.perf_counter() - began, time.process_time() - cpu
        kept_MB, size = peak_MB() - before_MB, stored_bytes(store, run)
        before_MB, began = peak_MB(), time.perf_counter()
        count = sum(1 for _ in store.explorers.trajectory("c", 0))
        read_s = time.perf_counter() - began
        assert count == frames
        print(
            f"{len(start):,} atoms, {frames:,} frames: kept in {wrote_s:.1f} s ({wrote_cpu:.1f} s of CPU) "
            f"with {kept_MB:.0f} MB more; {size / 1e6:.0f} MB in the database, "
            f"{size / frames / len(start):.1f} bytes per atom and frame; "
            f"read in {read_s:.1f} s with {peak_MB() - before_MB:.0f} MB more"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--every", type=int, default=10, help="steps between frames")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--large", type=int, nargs=2, metavar=("ATOMS", "FRAMES"), help="keep and read these")
    arguments = parser.parse_args()
    if arguments.large:
        large(*arguments.large)
    else:
        loop(arguments.every, arguments.steps, arguments.runs)


if __name__ == "__main__":
    main()
