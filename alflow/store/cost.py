"""What work costs: processor time, wall time, and time spent waiting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Time of some work, in seconds.

    Attributes
    ----------
    processor_s
        Processor time of the work, that of child processes included.
    wall_s
        Time from the beginning of the work to its end, waiting left out.
    waiting_s
        Time for which a worker waited: for a slot of a QM code, or for another worker.
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
