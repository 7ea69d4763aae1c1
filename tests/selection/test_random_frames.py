from __future__ import annotations

import numpy as np
import pytest

from alflow.selection.random_frames import SPARE, RandomFrames, Validation


@pytest.mark.parametrize("length", [500, 20_000])
def test_a_fraction_of_a_run_gets_the_square_root_of_the_frames(length: int) -> None:
    counts = []
    for passes in range(20):
        plan = RandomFrames.of_run(Validation(labels=24), "li", 1, 0, passes, length)
        drawn = np.array([step for step in range(length) if plan.rank(step) < 1])
        counts.append([len(drawn), np.sum(drawn < length / 4)])
        assert plan.expected(length) == 24
        assert all(map(plan.is_kept, drawn.tolist()))
    whole, first_quarter = np.mean(counts, axis=0)
    assert whole == pytest.approx(24, abs=4)
    assert first_quarter == pytest.approx(12, abs=3)


def test_at_most_a_bounded_number_is_kept() -> None:
    plan = RandomFrames.of_run(Validation(labels=24), "li", 1, 0, 0, 100_000)
    kept = sum(map(plan.is_kept, range(100_000)))
    assert 24 < kept < 1.3 * SPARE * 24


def test_runs_passes_and_seeds_have_other_steps() -> None:
    def steps(name: str, index: int, passes: int, seed: int) -> tuple[int, ...]:
        plan = RandomFrames.of_run(Validation(labels=24, seed=seed), name, 1, index, passes, 2000)
        return tuple(step for step in range(2000) if plan.is_kept(step))

    plans = [("a", 0, 0, 0), ("b", 0, 0, 0), ("a", 1, 0, 0), ("a", 0, 1, 0), ("a", 0, 0, 1)]
    assert len({steps(*plan) for plan in plans}) == len(plans)
    assert steps("a", 0, 0, 0) == steps("a", 0, 0, 0)
