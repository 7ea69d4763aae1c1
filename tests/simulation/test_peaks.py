from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alflow.simulation.peaks import Peaks

heights = st.lists(st.floats(allow_nan=False), min_size=1, max_size=200)


@given(heights=heights, limit=st.integers(1, 20))
def test_bounded_in_order_and_holds_the_peak_of_each_interval(heights: list[float], limit: int) -> None:
    peaks: Peaks[int] = Peaks(limit)
    for step, height in enumerate(heights):
        peaks.offer(step, height, lambda step=step: step)  # type: ignore[misc]
    kept = peaks.items()
    assert 1 <= len(kept) <= limit
    assert kept == sorted(kept)
    starts = range(0, len(heights), peaks.width)
    assert [heights[step] for step in kept] == [max(heights[start : start + peaks.width]) for start in starts]


@given(count=st.integers(1, 50))
def test_without_heights_the_first_of_each_interval_is_kept(count: int) -> None:
    peaks: Peaks[int] = Peaks(8)
    for step in range(count):
        peaks.offer(step, float("nan"), lambda step=step: step)  # type: ignore[misc]
    assert peaks.items() == list(range(0, count, peaks.width))
