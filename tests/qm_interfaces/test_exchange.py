from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qm_interfaces.exchange import (
    atoms_from_dict,
    atoms_to_dict,
    result_from_dict,
    result_to_dict,
    write_json,
)
from qm_interfaces.interface import QMResult

numbers = arrays(float, (2, 3), elements=st.floats(allow_nan=True, allow_infinity=True))


@given(forces=numbers, energy=st.floats(), stressed=st.booleans())
def test_results_are_exact(forces: np.ndarray, energy: float, stressed: bool) -> None:
    atoms = Atoms(
        "LiNa", positions=[[0, 0, 0], [1 / 3, 0.1, 2e-17]], cell=[3, 4, 5], pbc=[1, 0, 1], magmoms=[1, -1]
    )
    stress = np.arange(6) / 7 if stressed else None
    result = QMResult(energy, forces, stress, "code", "1.0", 2.5, {"grid": [1, 2]}, atoms)
    copy = result_from_dict(json.loads(json.dumps(result_to_dict(result))))
    np.testing.assert_array_equal([copy.energy_eV], [energy])
    np.testing.assert_array_equal(copy.forces_eV_A, forces)
    assert (copy.stress_eV_A3 is None) == (stress is None)
    assert copy.details == result.details
    assert copy.computed == atoms
    np.testing.assert_array_equal(copy.computed.get_initial_magnetic_moments(), [1, -1])


def test_structures_without_extras(tmp_path: Path) -> None:
    atoms = Atoms("Cu", cell=[1, 2, 3])
    assert atoms_from_dict(atoms_to_dict(atoms)) == atoms
    write_json(tmp_path / "task.json", atoms_to_dict(atoms))
    assert [file.name for file in tmp_path.iterdir()] == ["task.json"]
