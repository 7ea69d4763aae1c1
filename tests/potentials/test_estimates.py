"""The interval of an estimated error covers the true error as often as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alflow.potentials.estimates import Estimate, EstimatedErrors, estimated_mean


@pytest.mark.parametrize(("frames", "spread"), [(10, 0.3), (24, 0.3), (24, 0.5), (50, 0.5)])
def test_the_interval_covers_the_true_value(frames: int, spread: float) -> None:
    random = np.random.default_rng(3)
    covered, trials, components = 0, 2000, 384.0
    true = math.exp(spread**2 / 2)
    for _ in range(trials):
        means = np.exp(spread * random.normal(size=frames))
        weights = random.uniform(size=frames)  # of frames drawn with a density that falls like 1/√x
        found = estimated_mean(components * means, np.full(frames, components), weights)
        covered += found.low <= true <= found.high
    assert 0.91 < covered / trials < 0.98


def test_weights_undo_the_density_with_which_frames_were_drawn() -> None:
    random = np.random.default_rng(1)
    place = random.uniform(size=200_000) ** 2  # density 1/(2√x)
    error = 1 + place  # mean over the run: 1.5
    found = estimated_mean(error, np.ones_like(error), np.sqrt(place))
    assert found.value == pytest.approx(1.5, abs=0.003)
    assert found.low < 1.5 < found.high


def test_one_frame_has_no_interval() -> None:
    found = estimated_mean(np.array([2.0]), np.array([4.0]), np.array([1.0]))
    assert found.value == 0.5
    assert math.isnan(found.low)
    assert Estimate(0.0411, 0.0362, 0.0468).in_words() == "0.041 (0.036–0.047)"


def test_plain_values_come_back() -> None:
    known, unknown = Estimate(1.0, 0.5, 2.0), Estimate(math.nan, math.nan, math.nan)
    errors = EstimatedErrors(3, known, known, known, known, unknown, unknown)
    again = EstimatedErrors.from_dict(errors.as_dict())
    assert again.force_rmse_eV_A == known
    assert math.isnan(again.stress_rmse_eV_A3.value)
