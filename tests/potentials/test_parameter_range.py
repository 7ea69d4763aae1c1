from __future__ import annotations

import numpy as np
import pytest
from mo_crystals import mo_potential, several

from alflow.potentials.mtp import MomentTensorPotential
from alflow.selection import rows


@pytest.mark.parametrize(
    ("species", "level", "null_directions"),
    [
        ("Mo", 2, 1),
        ("Mo", 8, 3),
        ("Mo", 12, 6),
        ("Mo", 16, 11),
        ("Mo", 20, 21),
        ("Mo Si Al", 8, 3),
        ("Mo Si", 16, 11),
    ],
)
def test_null_directions_are_those_known(species: str, level: int, null_directions: int) -> None:
    potential = MomentTensorPotential.random(species.split(), level, 5.0, seed=level)
    count, rank = potential.parameter_range().shape
    assert (count, count - rank) == (potential.parameter_count, null_directions)


def test_coordinates_lose_nothing_of_the_rows_of_crystals() -> None:
    potential = mo_potential(8)
    known, new = (rows(potential, several(0.3, seeds)) for seeds in (range(5), range(5, 7)))
    scales = np.abs(known).max(axis=0)
    basis = potential.parameter_range()
    back, *_ = np.linalg.lstsq(known @ basis, known / scales, rcond=None)
    np.testing.assert_allclose(new @ basis @ back, new / scales, atol=1e-7)


def test_the_same_potential_gives_the_same_basis() -> None:
    np.testing.assert_array_equal(mo_potential().parameter_range(), mo_potential().parameter_range())


def test_parameters_without_effect_leave_the_range() -> None:
    """Where all moment coefficients vanish, so do the rows' radial columns."""
    potential = mo_potential(8)
    parameters = potential.parameters
    parameters[-len(potential.moment_coefficients) :] = 0
    flat = potential.with_parameters(parameters)
    assert flat.parameter_range().shape[1] == 1 + len(potential.moment_coefficients)
