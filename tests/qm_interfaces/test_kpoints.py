from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from qm_interfaces import SettingsError
from qm_interfaces.kpoints import KPoints


@given(spacing_per_A=st.floats(0.05, 5.0), stretch=st.floats(0.5, 4.0))
def test_meshes_are_dense_enough_and_no_denser(spacing_per_A: float, stretch: float) -> None:
    atoms = bulk("Al")
    atoms.set_cell(atoms.cell.array * [stretch, 1.0, 1.0])
    divisions = np.array(KPoints.from_option({"spacing_per_A": spacing_per_A}).divisions(atoms))
    lengths_per_A = 2 * np.pi * np.linalg.norm(atoms.cell.reciprocal(), axis=1)
    assert (lengths_per_A / divisions <= spacing_per_A * (1 + 1e-6)).all()
    assert ((divisions == 1) | (lengths_per_A / (divisions - 1 + (divisions == 1)) > spacing_per_A)).all()


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"gamma": True},
        {"mesh": [2, 2, 2], "spacing_per_A": 0.2},
        {"mesh": [2, 2]},
        {"mesh": [0, 1, 1]},
        {"spacing_per_A": 0},
        {"mesh": [1, 1, 1], "shift": 1},
        {"mesh": [1, 1, 1], "gamma": 1},
        [2, 2, 2],
    ],
)
def test_wrong_values_are_named(value: Any) -> None:
    with pytest.raises(SettingsError, match="kpoints"):
        KPoints.from_option(value)
