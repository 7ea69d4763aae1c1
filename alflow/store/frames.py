"""Frames, arrays and structures as the contents of files in GridFS."""

from __future__ import annotations

import gzip
import io
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.io.extxyz import read_extxyz, write_extxyz

OPTIONAL = ("energy_eV", "temperature_K")
"""Numbers in the `info` of a frame, in addition to ``step`` and ``extrapolation_grade``."""


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as a compressed npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Undo `pack_arrays`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return dict(file)


def pack_frames(frames: Sequence[Atoms], explorer: str) -> bytes:
    """Frames of one run, of any species and sizes, with step and grade, as an npz file.

    Positions are exact. Momenta are kept if all frames have them, and the numbers of `OPTIONAL` likewise.
    """
    arrays = {
        "offsets": np.cumsum([0, *map(len, frames)]),
        "numbers": np.concatenate([frame.numbers for frame in frames]),
        "positions": np.concatenate([frame.positions for frame in frames]),
        "cells": np.array([frame.cell.array for frame in frames]),
        "pbc": np.array([frame.pbc for frame in frames]),
        "explorer": np.array(explorer),
    }
    if all(frame.has("momenta") for frame in frames):
        arrays["momenta"] = np.concatenate([frame.arrays["momenta"] for frame in frames])
    for key in ("step", "extrapolation_grade", *OPTIONAL):
        if all(key in frame.info for frame in frames):
            arrays[key] = np.array([frame.info[key] for frame in frames])
    return pack_arrays(arrays)


def unpack_frames(data: bytes) -> list[Atoms]:
    """Undo `pack_frames`."""
    file = unpack_arrays(data)
    numbers = {key: file[key].tolist() for key in ("step", "extrapolation_grade", *OPTIONAL) if key in file}
    momenta = file.get("momenta")
    return [
        Atoms(
            numbers=file["numbers"][begin:end],
            positions=file["positions"][begin:end],
            momenta=None if momenta is None else momenta[begin:end],
            cell=file["cells"][i],
            pbc=file["pbc"][i],
            info={"explorer": str(file["explorer"])} | {key: values[i] for key, values in numbers.items()},
        )
        for i, (begin, end) in enumerate(itertools.pairwise(file["offsets"].tolist()))
    ]


def pack_structures(structures: Sequence[Atoms]) -> bytes:
    """Structures with info and results as compressed extended XYZ."""
    text = io.StringIO()
    write_extxyz(text, list(structures))
    return gzip.compress(text.getvalue().encode(), mtime=0)


def unpack_structures(data: bytes) -> list[Atoms]:
    """Undo `pack_structures`."""
    text = io.StringIO(gzip.decompress(data).decode())
    return list(read_extxyz(text, slice(None)))
