from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian
from bson import BSON
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from alflow.store.arrays import decode, decode_array, decode_atoms, encode, encode_array, encode_atoms
from alflow.structures.constraints import fixed_components

ARRAYS = hnp.arrays(
    dtype=st.sampled_from([np.float64, np.float32, np.int64, np.int16, np.uint8, np.bool_, ">f8"]),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@given(ARRAYS)
def test_arrays_come_back_bit_for_bit_through_bson(array: np.ndarray) -> None:
    back = decode_array(BSON.encode({"a": encode_array(array)}).decode()["a"])
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes()
    assert back.flags.writeable


def test_nested_values_come_back() -> None:
    value = {"a": [np.arange(3), {"b": np.float64(2.0)}], "c": "text", "d": None}
    back = decode(BSON.encode(encode(value)).decode())
    assert back["a"][0].tolist() == [0, 1, 2]
    assert back["a"][1] == {"b": 2.0}
    assert (back["c"], back["d"]) == ("text", None)


def test_objects_are_refused() -> None:
    with pytest.raises(TypeError, match="only numbers"):
        encode_array(np.array(["text"]))


def test_structures_come_back() -> None:
    atoms = Atoms(
        "CuPd", positions=[[0, 0, 0], [1, 2, 3.1]], cell=[[4, 0, 0], [1, 4, 0], [0, 0, 5]], pbc=[1, 1, 0]
    )
    back = decode_atoms(BSON.encode(encode_atoms(atoms)).decode())
    assert back == atoms


def test_cartesian_constraints_come_back() -> None:
    atoms = Atoms("Cu3", constraint=[FixAtoms([0]), FixCartesian([2], [True, False, True])])
    back = decode_atoms(BSON.encode(encode_atoms(atoms)).decode())
    assert fixed_components(back).tolist() == [[True] * 3, [False] * 3, [True, False, True]]
