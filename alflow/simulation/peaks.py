"""A bounded record of an unbounded series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Peaks(Generic[Item]):
    """The highest item of each interval of steps; the intervals double in width when there are too many.

    So the record covers the whole run, always holds the highest item of all, and takes bounded memory.

    Parameters
    ----------
    limit
        Largest number of items kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.width = 1
        self._peaks: dict[int, tuple[float, Item]] = {}

    def offer(self, step: int, height: float, make: Callable[[], Item]) -> None:
        """Keep `make()` if it is the highest of its interval, or the first of equals. Steps never fall."""
        interval = step // self.width
        held = self._peaks.get(interval)
        if held is not None and not height > held[0]:
            return
        self._peaks[interval] = (height, make())
        while len(self._peaks) > self.limit:
            self._widen()

    def _widen(self) -> None:
        self.width *= 2
        merged: dict[int, tuple[float, Item]] = {}
        for interval, peak in self._peaks.items():
            held = merged.get(interval // 2)
            if held is None or peak[0] > held[0]:
                merged[interval // 2] = peak
        self._peaks = merged

    def items(self) -> list[Item]:
        """Kept items in the order of steps."""
        return [item for _, item in self._peaks.values()]
