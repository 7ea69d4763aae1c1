"""MAXVOL of alflow beside motep's on the same neighbourhood rows: seconds and ln |det|.

    taskset -c 1 python benchmarks/maxvol.py

The rows are those of displaced bcc crystals of 128 atoms, in the coordinates in which an active set sees
them: a metal with 126 coordinates and an alloy with 408. `--normal` adds normal random numbers.
motep exchanges rows of the whole matrix one by one: its 400 columns take minutes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from ase.build import bulk
from motep.grade.maxvol import InitMethod, MaxVol
from numpy.typing import NDArray

from alflow.potentials.mtp import MomentTensorPotential
from alflow.selection import maxvol, parameter_range, rows
from alflow.selection.maxvol import SWAP_TOLERANCE

ELEMENTS = ["Mo", "Nb", "Ta"]


def crystal_rows(
    species: int, radial_basis_size: int, count: int, level: int = 16, seed: int = 0
) -> NDArray[np.float64]:
    """Rows (count, r) of displaced random alloys in the coordinates of the potential's range."""
    potential = MomentTensorPotential.random(
        ELEMENTS[:species], level, 5.2, min_distance_A=1.9, radial_basis_size=radial_basis_size
    )
    rng = np.random.default_rng(seed)
    crystals = [bulk("Mo", "bcc", a=3.17, cubic=True).repeat(4) for _ in range(-(-count // 128))]
    for atoms in crystals:
        atoms.set_chemical_symbols(rng.choice(ELEMENTS[:species], len(atoms)))
        atoms.positions += 0.15 * rng.normal(size=atoms.positions.shape)
    return rows(potential, crystals)[:count] @ parameter_range(potential)


def timed(search: Callable[[], Any]) -> tuple[Any, float]:
    """Result and CPU seconds."""
    begin = time.process_time()
    result = search()
    return result, time.process_time() - begin


def compare(name: str, matrix: NDArray[np.float64]) -> None:
    """Print one line of the table."""
    own, seconds = timed(lambda: maxvol(matrix))
    peer, peer_seconds = timed(
        lambda: MaxVol(threshold=SWAP_TOLERANCE, init_method=InitMethod.QR).run(matrix)
    )
    count, columns = matrix.shape
    ratio = peer_seconds / seconds
    print(
        f"| {count:,} × {columns}, {name} | {seconds:.2f} | {peer_seconds:.1f} | {ratio:.1f} "
        f"| {own.log_volume:.2f} | {np.linalg.slogdet(peer.submatrix)[1]:.2f} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--normal", action="store_true", help="also rows of normal random numbers")
    arguments = parser.parse_args()
    print(
        "| rows | alflow, s | motep, s | ratio | ln det, alflow | ln det, motep |\n|---|---|---|---|---|---|"
    )
    if arguments.normal:
        compare("random numbers", np.random.default_rng(0).normal(size=(arguments.rows, 125)))
    compare("crystals of one species", crystal_rows(1, 11, arguments.rows))
    compare("alloys of three species", crystal_rows(3, 9, arguments.rows))


if __name__ == "__main__":
    main()
