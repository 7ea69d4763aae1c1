"""MLIP-3 `.almtp` files: the text of a `.mtp` file followed by a selection state.

The layout is that of MLIP-3's `CfgSelection::Save` and `Load` and `MaxVol::WriteData`, checked against
published files:

    <the .mtp text>
    #MVS_v1.1
    energy_weight …, force_weight …, stress_weight …, site_en_weight …, weight_scaling …   (one per line)
    #<A: m·m little-endian doubles, row by row><A⁻¹ transposed, likewise>
    #
    m lines "configuration equation", both from 0; "-1 -1" for a pseudo-row
    #
    the active configurations as lossless .cfg, each with a Feature selected_eqn_inds

A row of A is a derivative with respect to all m coefficients, in the order radial coefficients, species
energies, moment coefficients, which is the order of `MomentTensorPotential.parameters`. The equations of a
configuration of N atoms are its energy (0), forces (from 1), stresses (from 1 + 3N) and the neighborhoods of
its atoms (from 10 + 3N).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.structures.cfg_file import cfg_from_text
from alflow.structures.cfg_text import cfg_text

PSEUDO_ROW_SIZE = 1e-6
"""MLIP-3 starts from this multiple of the identity; rows that it never exchanged keep it."""
INVERSE_TOLERANCE = 1e-2
"""Largest deviation of A·A⁻¹ from the identity. MLIP-3 updates the inverse at every exchange, so that it is
exact to 1e-3 or better; bytes that were damaged in transfer deviate far more."""
_START = b"\n#"
_WEIGHTS = ("energy_weight", "force_weight", "stress_weight", "site_en_weight", "weight_scaling")
_HEADER = re.compile(
    rb"#MVS_v1\.1\s" + b"".join(rb"\s*%s\s+([^\s#]+)" % key.encode() for key in _WEIGHTS) + rb"\s*#"
)
_HEADER_BYTES = 1000


@dataclass(frozen=True)
class SelectionWeights:
    """Weights of the equations that MLIP-3 selects by, and the power of N that divides those of energies.

    The equation of an energy is `energy · ∂E/∂θ / N^(scaling/2)`, that of a neighborhood is ∂V/∂θ if
    `site_energy` is not zero.
    """

    energy: float
    force: float
    stress: float
    site_energy: float
    scaling: int = 2


@dataclass(frozen=True, eq=False)
class SelectionState:
    """What a `.almtp` file holds besides the potential.

    Attributes
    ----------
    weights : SelectionWeights
        Which equations the rows are.
    matrix : (m, m)
        A: the active rows.
    links : (m, 2) int
        Configuration and equation of each row; −1, −1 for a pseudo-row.
    configurations : list of Atoms
        The active configurations.
    """

    weights: SelectionWeights
    matrix: NDArray[np.float64]
    links: NDArray[np.int64]
    configurations: list[Atoms]


def split_almtp(data: bytes) -> tuple[bytes, bytes]:
    """The bytes of the potential and those of the selection state, which are empty in a `.mtp` file."""
    text, start, state = data.partition(_START)
    return text, start[1:] + state


def state_from_bytes(data: bytes, size: int, species: Sequence[str], name: str) -> SelectionState:
    """Parse a selection state of a potential with `size` coefficients.

    Raises
    ------
    InputError
        If it is cut off, damaged or of another version; the message names `name`.
    """
    if not data.startswith(b"#MVS_v1.1"):
        raise InputError(
            f"{name}: its selection state begins with {data[:9].decode('latin-1')!r} where #MVS_v1.1 belongs"
        )
    header = _HEADER.match(data[:_HEADER_BYTES])
    if header is None:
        raise InputError(f"{name}: the weights of its selection state ({', '.join(_WEIGHTS)}) are incomplete")
    weights = _weights(header.groups(), name)
    block = 8 * size**2
    begin, end = header.end(), header.end() + 2 * block
    links_text, mark, configurations = data[end + 3 :].partition(b"#\n")
    if data[end : end + 3] != b"\n#\n" or not mark:
        raise InputError(
            f"{name}: its selection state is cut off or damaged; it must hold two matrices of "
            f"{size} × {size} numbers, {size} links and the active configurations"
        )
    matrix = np.frombuffer(data, "<f8", size**2, begin).reshape(size, size)
    inverse = np.frombuffer(data, "<f8", size**2, begin + block).reshape(size, size)
    with np.errstate(all="ignore"):
        deviation = np.abs(matrix @ inverse.T - np.eye(size)).max()
    if not deviation < INVERSE_TOLERANCE:
        raise InputError(f"{name}: its selection state is damaged; A times A⁻¹ is not the identity")
    frames = cfg_from_text(
        configurations.decode("utf-8", "replace"), species, f"{name}: active configurations"
    )
    links = _links(links_text, size, weights, frames, name)
    return SelectionState(weights, matrix.astype(float), links, frames)


def state_to_bytes(state: SelectionState, inverse: NDArray[np.float64], species: Sequence[str]) -> bytes:
    """The selection state as MLIP-3 writes it, with A⁻¹ (m, m) given."""
    values = (
        state.weights.energy,
        state.weights.force,
        state.weights.stress,
        state.weights.site_energy,
    )
    lines = [f"{key} {value:.16e}" for key, value in zip(_WEIGHTS, values, strict=False)]
    lines.append(f"weight_scaling {state.weights.scaling}")
    frames = []
    for index, atoms in enumerate(state.configurations):
        frame = atoms.copy()
        frame.calc = atoms.calc
        equations = sorted(state.links[state.links[:, 0] == index, 1].tolist())
        frame.info["selected_eqn_inds"] = ",".join(map(str, equations))
        frames.append(frame)
    return b"".join(
        (
            b"#MVS_v1.1\n",
            "\n".join(lines).encode(),
            b"\n#",
            state.matrix.astype("<f8").tobytes(),
            np.ascontiguousarray(inverse.T).astype("<f8").tobytes(),
            b"\n#\n",
            "".join(f"{frame} {equation}\n" for frame, equation in state.links).encode(),
            b"#\n",
            "\n".join(cfg_text(atoms, species, lossless=True) for atoms in frames).encode(),
        )
    )


def neighborhood_equation(atom_count: int, atom: int) -> int:
    """Number of the equation of an atom's neighborhood in a configuration of `atom_count` atoms."""
    return 10 + 3 * atom_count + atom


def _weights(words: tuple[bytes, ...], name: str) -> SelectionWeights:
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = [np.nan]
    if not np.isfinite(values).all() or values[-1] != int(values[-1]):
        raise InputError(f"{name}: a weight of its selection state is no number")
    energy, force, stress, site_energy, scaling = values
    return SelectionWeights(energy, force, stress, site_energy, int(scaling))


def _links(
    text: bytes, size: int, weights: SelectionWeights, frames: Sequence[Atoms], name: str
) -> NDArray[np.int64]:
    try:
        links = np.array(text.split(), dtype=np.int64).reshape(-1, 2)
    except (ValueError, OverflowError):
        links = np.empty((0, 2), dtype=np.int64)
    if len(links) != size:
        raise InputError(f"{name}: its selection state must link {size} rows to configurations")
    for frame, equation in links[links[:, 1] >= 0]:
        if not 0 <= frame < len(frames):
            raise InputError(
                f"{name}: its selection state refers to configuration {frame}, but it has {len(frames)}"
            )
        first = 0 if weights.site_energy == 0 else neighborhood_equation(len(frames[frame]), 0)
        if not 0 <= equation < neighborhood_equation(len(frames[frame]), len(frames[frame])):
            raise InputError(
                f"{name}: its selection state refers to equation {equation} of configuration {frame}, "
                f"which has none of this number (the first is {first})"
            )
    return links
