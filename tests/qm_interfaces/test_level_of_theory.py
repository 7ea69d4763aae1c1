from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qm_interfaces import get_interface, level_differences

names, numbers = st.sampled_from("abc"), st.integers(0, 2)
inner = st.dictionaries(names, numbers, min_size=1, max_size=2)
levels = st.dictionaries(names, st.one_of(numbers, inner), max_size=3)


def test_what_differs_is_named() -> None:
    one = get_interface("mock", parameters={"sigma": 2.0, "cutoff": 5.0}).level_of_theory()
    other = get_interface("mock", calculator="lennard-jones", parameters={"sigma": 3.0}).level_of_theory()
    assert level_differences(one, other) == [
        "calculator is lennard-jones instead of emt",
        "parameters.cutoff is not set instead of 5.0",
        "parameters.sigma is 3.0 instead of 2.0",
    ]


@given(levels, levels)
def test_equal_levels_and_no_others_have_no_difference(one: dict, other: dict) -> None:
    assert bool(level_differences(one, other)) == (one != other)
