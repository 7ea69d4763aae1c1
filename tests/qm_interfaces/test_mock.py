from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from qm_interfaces import CodeFailed, LabelLimits, NotConverged, get_interface, validate
from qm_interfaces.mock import MockInterface


def copper(seed: int) -> Atoms:
    atoms = bulk("Cu")
    atoms.rattle(0.05, seed=seed)
    return atoms


def outcome(mock: MockInterface, atoms: Atoms, directory: Path, attempt: int = 1) -> str:
    try:
        result = mock.compute(atoms, directory, attempt=attempt)
    except (CodeFailed, NotConverged) as error:
        return type(error).__name__
    return "wrong" if validate(atoms, result, LabelLimits()) else "right"


def test_accidents_come_as_often_as_asked_and_the_same_each_time(tmp_path: Path) -> None:
    options = {"fail_probability": 0.2, "unconverged_probability": 0.2, "wrong_probability": 0.2, "seed": 7}
    structures = [copper(seed) for seed in range(60)]
    first = [outcome(MockInterface(**options), atoms, tmp_path) for atoms in structures]
    again = [outcome(MockInterface(**options), atoms, tmp_path) for atoms in structures]
    other = [outcome(MockInterface(**options | {"seed": 8}), atoms, tmp_path) for atoms in structures]
    assert first == again != other
    for kind, expected in [("CodeFailed", 12), ("NotConverged", 12), ("wrong", 12), ("right", 24)]:
        assert abs(first.count(kind) - expected) < 15  # four standard deviations


def test_a_retry_can_succeed(tmp_path: Path) -> None:
    mock = MockInterface(fail_probability=0.5)
    attempts = {outcome(mock, copper(0), tmp_path, attempt) for attempt in range(1, 12)}
    assert attempts == {"CodeFailed", "right"}


@given(seed=st.integers(0, 2**31), attempt=st.integers(1, 9))
def test_wrong_labels_never_pass_validation(seed: int, attempt: int) -> None:
    mock = MockInterface(wrong_probability=1.0, seed=seed)
    atoms = copper(1)
    assert validate(atoms, mock.compute(atoms, Path(), attempt=attempt), LabelLimits())


def test_accidents_are_no_part_of_the_level_of_theory() -> None:
    plain = get_interface("mock", calculator="lennard-jones", parameters={"sigma": 2.3})
    clumsy = get_interface(
        "mock", calculator="lennard-jones", parameters={"sigma": 2.3}, fail_probability=0.3
    )
    assert plain.level_of_theory() == clumsy.level_of_theory()
    assert plain.level_of_theory() != get_interface("mock").level_of_theory()


def test_lennard_jones_takes_any_species(tmp_path: Path) -> None:
    mock = get_interface("mock", calculator="lennard-jones", parameters={"sigma": 2.7, "rc": 6.0})
    result = mock.compute(bulk("Li"), tmp_path)
    np.testing.assert_allclose(result.forces_eV_A, 0.0, atol=1e-12)
    assert result.energy_eV < 0
    assert result.stress_eV_A3 is not None


def test_hanging_is_the_limit_of_no_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        MockInterface(hang_probability=1.0).compute(copper(0), tmp_path)
