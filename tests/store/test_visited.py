"""Kept frames of runs: each step once, whatever was killed, changed or repeated."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from alflow.explorers import EXPLORERS, Run
from alflow.explorers.protocol import Trajectory
from alflow.simulation import GradeControl
from alflow.states import RunState
from alflow.store import Store
from workflows.active_learning.schema import ActiveLearning
from workflows.explorer_host import StoreHost

STEPS = 20


@pytest.fixture(autouse=True)
def _two_runs(store: Store, campaign: ActiveLearning) -> None:
    md = EXPLORERS.get("md")
    structures = {"fcc": bulk("Cu", cubic=True)}
    (run,) = md.runs(campaign.explorers[0], structures, ["Cu"])
    runs = [Run(name, run.settings, run.start, STEPS, Trajectory(2, velocities=True)) for name in ("a", "b")]
    store.explorers.create("cu", [("md", run) for run in runs])


def frame_at(step: int) -> Atoms:
    """The configuration of a step; its numbers have no short decimal form."""
    atoms = bulk("Cu", cubic=True)
    atoms.positions += np.random.default_rng(step).normal(scale=0.1, size=(4, 3))
    atoms.set_momenta(np.random.default_rng(1000 + step).normal(size=(4, 3)))
    return atoms


def segment(
    store: Store,
    steps: Iterable[int],
    *,
    index: int = 0,
    round_: int = 1,
    saved: int | None,
    state: RunState | None = RunState.PAUSED,
    killed: bool = False,
) -> None:
    """A claim that visits these steps, stores a checkpoint of step `saved`, and then ends or is killed."""
    store.explorers.collection.update_one({"index": index}, {"$set": {"lease": None}})
    run = store.explorers.claim("cu", index, round_)
    assert run is not None
    host = StoreHost(
        store, run, round_, control=GradeControl(), version=1, sampled=lambda step: step % 5 == 0
    )
    for step in steps:
        host.visit(frame_at(step), step, round_ + 0.5)
    if saved is not None:
        host.save_progress({"step": saved}, step=saved, history={"step": np.array([saved])})
    if not killed:
        assert store.explorers.complete(run, round_, state or RunState.PAUSED, None, version=1)


def steps_of(store: Store, index: int = 0, pass_number: int | None = None) -> list[int]:
    return [f.info["step"] for f in store.explorers.trajectory("cu", index, pass_number=pass_number)]


def test_frames_come_back_bit_for_bit(store: Store) -> None:
    segment(store, range(STEPS + 1), saved=STEPS, state=RunState.FINISHED)
    found = list(store.explorers.trajectory("cu", 0))
    assert [frame.info["step"] for frame in found] == list(range(0, STEPS + 1, 2))
    for frame in found:
        expected = frame_at(frame.info["step"])
        np.testing.assert_array_equal(frame.positions, expected.positions)
        np.testing.assert_array_equal(frame.get_momenta(), expected.get_momenta())
        assert (frame.info["explorer"], frame.info["pass"]) == ("a", 0)
        assert frame.info["extrapolation_grade"] == 1.5
        assert frame.info["temperature_K"] == expected.get_temperature()


def test_what_a_killed_worker_did_after_its_checkpoint_counts_once(store: Store) -> None:
    segment(store, range(13), saved=7, killed=True)
    assert steps_of(store) == [0, 2, 4, 6]
    segment(store, range(7, 16), saved=None, killed=True)
    assert steps_of(store) == [0, 2, 4, 6]
    segment(store, range(7, STEPS + 1), saved=STEPS, state=RunState.FINISHED)
    assert steps_of(store) == list(range(0, STEPS + 1, 2))


def test_steps_beyond_a_pause_are_those_of_the_next_potential(store: Store) -> None:
    segment(store, range(12), saved=4)
    segment(store, range(4, 9), round_=2, saved=8)
    assert steps_of(store) == [0, 2, 4, 6, 8]
    grades = [frame.info["extrapolation_grade"] for frame in store.explorers.trajectory("cu", 0)]
    assert grades == [1.5, 1.5, 1.5, 2.5, 2.5]


def test_a_changed_interval_holds_from_the_next_segment_on(store: Store) -> None:
    segment(store, range(12), saved=9)
    key = {"index": 0}
    store.explorers.collection.update_one(key, {"$set": {"trajectory": {"every": 3, "velocities": False}}})
    segment(store, range(9, 17), round_=2, saved=16)
    assert steps_of(store) == [0, 2, 4, 6, 8, 9, 12, 15]
    assert [frame.has("momenta") for frame in store.explorers.trajectory("cu", 0)] == [True] * 5 + [False] * 3
    store.explorers.collection.update_one(key, {"$set": {"trajectory": None}})
    segment(store, range(16, STEPS + 1), round_=3, saved=STEPS, state=RunState.FINISHED)
    assert steps_of(store) == [0, 2, 4, 6, 8, 9, 12, 15]


def test_passes_are_kept_apart(store: Store) -> None:
    segment(store, range(STEPS + 1), saved=STEPS, state=RunState.FINISHED)
    store.explorers.start_again("cu", 1, but=[])
    assert steps_of(store) == list(range(0, STEPS + 1, 2))
    segment(store, range(9), round_=2, saved=5)
    assert store.explorers.trajectory_passes("cu", 0) == [0, 1]
    assert steps_of(store, pass_number=0) == list(range(0, STEPS + 1, 2))
    assert steps_of(store, pass_number=1) == [0, 2, 4]
    assert steps_of(store) == [*range(0, STEPS + 1, 2), 0, 2, 4]


def test_samples_of_all_runs_and_passes_up_to_the_checkpoints(store: Store) -> None:
    assert list(store.explorers.samples("cu")) == []
    segment(store, range(STEPS + 1), saved=STEPS, state=RunState.FINISHED)
    segment(store, range(13), index=1, saved=7)
    store.explorers.start_again("cu", 1, but=[])
    segment(store, range(8), round_=2, saved=6)
    found = [
        (atoms.info["explorer"], atoms.info["pass"], atoms.info["step"])
        for atoms in store.explorers.samples("cu")
    ]
    first = [("a", 0, step) for step in (0, 5, 10, 15, 20)]
    assert found == [*first, ("a", 1, 0), ("a", 1, 5), ("b", 0, 0), ("b", 0, 5)]
    for atoms in store.explorers.samples("cu"):
        np.testing.assert_array_equal(atoms.positions, frame_at(atoms.info["step"]).positions)
