from __future__ import annotations

from alflow.store.retries import MAX_DEATHS, Attempt, Tries


def tries(failures: int, claims: int) -> Tries:
    return Tries.of({"failures": ["no convergence"] * failures, "attempts": failures + claims})


def test_each_attempt_has_twice_the_time_until_none_is_left() -> None:
    assert tries(0, 1).next_attempt(2, 10.0) == Attempt(1, 10.0, is_last=False)
    assert tries(1, 1).next_attempt(2, 10.0) == Attempt(2, 20.0, is_last=False)
    assert tries(2, 1).next_attempt(2, 10.0) == Attempt(3, 40.0, is_last=True)
    assert tries(3, 1).next_attempt(2, 10.0) is None


def test_an_attempt_whose_worker_died_is_repeated_with_the_same_time() -> None:
    assert tries(1, 3).next_attempt(2, 10.0) == tries(1, 1).next_attempt(2, 10.0)


def test_deaths_are_counted_apart_from_failures() -> None:
    assert tries(9, MAX_DEATHS).reason_to_give_up is None
    reason = tries(0, MAX_DEATHS + 1).reason_to_give_up
    assert reason == "the worker died 5 times while it ran this label"


def test_a_failure_begins_the_next_attempt() -> None:
    assert tries(0, 1).after_failure("no convergence") == tries(1, 1)
