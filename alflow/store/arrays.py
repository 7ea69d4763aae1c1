"""Arrays and structures as BSON: binary data with dtype and shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from bson.binary import Binary
from numpy.typing import ArrayLike

from alflow.structures.constraints import constraints_of, fixed_components


def encode_array(values: ArrayLike) -> dict[str, Any]:
    """An array as ``{dtype, shape, data}``; little-endian, C order, bit for bit."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"only numbers and booleans are stored as arrays, not {array.dtype}")
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
    return {"dtype": array.dtype.str, "shape": list(array.shape), "data": Binary(array.tobytes())}


def decode_array(document: dict[str, Any]) -> np.ndarray:
    """The array of an encoded document, writable."""
    return np.frombuffer(document["data"], dtype=document["dtype"]).reshape(document["shape"]).copy()


def encode(value: Any) -> Any:
    """Encode every array inside nested dicts and lists; NumPy scalars become plain numbers."""
    if isinstance(value, np.ndarray):
        return encode_array(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def decode(value: Any) -> Any:
    """Undo `encode`."""
    if isinstance(value, dict):
        if value.keys() == {"dtype", "shape", "data"}:
            return decode_array(value)
        return {key: decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value


def encode_atoms(atoms: Atoms) -> dict[str, Any]:
    """Species, positions (Å), cell (Å), periodicity and the Cartesian constraints of a structure.

    `FixAtoms` and `FixCartesian` are kept as the components (N, 3) that are fixed; others are not.
    """
    document = {
        "numbers": encode_array(atoms.numbers.astype(np.int16)),
        "positions": encode_array(atoms.positions),
        "cell": encode_array(atoms.cell.array),
        "pbc": [bool(flag) for flag in atoms.pbc],
    }
    fixed = fixed_components(atoms)
    return document | {"fixed": encode_array(fixed)} if fixed.any() else document


def decode_atoms(document: dict[str, Any]) -> Atoms:
    """The structure of an encoded document."""
    atoms = Atoms(
        numbers=decode_array(document["numbers"]).astype(int),
        positions=decode_array(document["positions"]),
        cell=decode_array(document["cell"]),
        pbc=document["pbc"],
    )
    if "fixed" in document:
        atoms.set_constraint(constraints_of(decode_array(document["fixed"])))
    return atoms
