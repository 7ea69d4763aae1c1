"""The cost of work: processor time, wall time and waiting, measured and stored separately."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from alflow.states import Role


@dataclass(frozen=True)
class Cost:
    """Time spent, in seconds.

    Attributes
    ----------
    processor_s
        Processor time (user and system) of the work, including child processes that have ended.
    wall_s
        Wall time of the work.
    waiting_s
        Wall time spent waiting for other processes: for a lease, or for a slot of a QM interface.
    """

    processor_s: float = 0.0
    wall_s: float = 0.0
    waiting_s: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.processor_s + other.processor_s,
            self.wall_s + other.wall_s,
            self.waiting_s + other.waiting_s,
        )


class Clocks(NamedTuple):
    """Readings of the two clocks, in seconds since an arbitrary moment."""

    processor_s: float
    wall_s: float


def read_clocks() -> Clocks:
    """Processor time of this process and of its ended children, and the wall clock."""
    times = os.times()
    processor_s = times.user + times.system + times.children_user + times.children_system
    return Clocks(processor_s, time.monotonic())


class Meter:
    """Measures the cost of the work of this process, from the construction of the object on.

    Parameters
    ----------
    read
        Reads the clocks.
    """

    def __init__(self, read: Callable[[], Clocks] = read_clocks) -> None:
        self._read = read
        self._began = read()
        self._waited = Clocks(0.0, 0.0)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the block as waiting, not as work."""
        began = self._read()
        try:
            yield
        finally:
            ended = self._read()
            self._waited = Clocks(*(w + e - b for w, e, b in zip(self._waited, ended, began, strict=True)))

    def cost(self) -> Cost:
        """The cost so far."""
        present = self._read()
        return Cost(
            processor_s=present.processor_s - self._began.processor_s - self._waited.processor_s,
            wall_s=present.wall_s - self._began.wall_s - self._waited.wall_s,
            waiting_s=self._waited.wall_s,
        )


def costs_of(campaign: Mapping[str, Any]) -> dict[Role, Cost]:
    """The cost in a campaign's document, by role; zeros for roles without work."""
    return {role: Cost(**campaign["cost"].get(role, {})) for role in Role}


def total(costs: Mapping[Role, Cost]) -> Cost:
    """The sum over all roles."""
    return sum(costs.values(), Cost())


def processor_hours(campaign: Mapping[str, Any]) -> float:
    """Processor time of all work of a campaign, from its document."""
    return total(costs_of(campaign)).processor_s / 3600
