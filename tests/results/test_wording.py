from __future__ import annotations

from typing import Any

import pytest

from alflow.results.wording import shared_and_own, spoken, spoken_all


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cutoff_A", 6.0, "cutoff 6 Å"),
        ("volume_A3", 11.81234, "volume 11.81 Å³"),
        ("barrier_eV", 0.6912, "barrier 0.6912 eV"),
        ("energy_eV_per_atom", -3.5, "energy -3.5 eV/atom"),
        ("friction_per_fs", 0.01, "friction 0.01 1/fs"),
        ("steps", 200, "steps 200"),
        ("climb", True, "climb yes"),
        ("temperature_K", {"from": 300.0, "to": 1500.0}, "temperature (from 300, to 1500) K"),
        ("max_force_eV_A", [0.1, 0.2], "max force 0.1, 0.2 eV/Å"),
        ("names", [f"s{i}" for i in range(200)], "names s0, s1, s2, s3, s4, s5, … (200 in all)"),
    ],
)
def test_a_unit_follows_its_value(name: str, value: Any, words: str) -> None:
    assert spoken(name, value) == words


def test_values_that_are_not_given_are_left_out() -> None:
    assert spoken_all({"level": 8, "min_distance_A": None}) == "level 8"


def test_settings_that_differ_are_told_apart() -> None:
    first, second = {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5}
    assert shared_and_own([first, second]) == ({"a": 1}, [{"b": 2, "c": 3}, {"b": 5}])
    assert shared_and_own([first]) == (first, [{}])
    assert shared_and_own([]) == ({}, [])
