from __future__ import annotations

import numpy as np
import pytest

from alflow.hull import reason_to_drop, retained, sigma_of


def test_the_bound_holds_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    bounds = np.array([sigma_of(random.normal(0, 0.02, 30)) for _ in range(2000)])
    assert (bounds >= 0.02).mean() == pytest.approx(0.9, abs=0.02)


def test_without_errors_nothing_is_ruled_out() -> None:
    assert retained([0.0, 9.9], sigma_of([]), k=4).all()


def test_a_common_shift_counts_as_error() -> None:
    assert sigma_of(np.full(30, 0.01)) > 0.01


def test_what_is_within_k_sigma_is_kept() -> None:
    assert retained([0.06, 0.0601], sigma_eV=0.01, k=4, window_eV=0.02).tolist() == [True, False]
    assert retained([0.0, 0.04, 0.0401], sigma_eV=0.01, k=4).tolist() == [True, True, False]
    assert reason_to_drop(0.213, 0.02, 4) == "0.213 eV/atom above the hull, beyond 4σ = 0.08"
