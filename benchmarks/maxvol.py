"""MAXVOL of alflow beside motep's on the same rows: seconds and ln |det|.

    python benchmarks/maxvol.py --rows 100000 --columns 125

The rows are normally distributed; with --structures N they are those of N displaced bcc crystals of 128 atoms
under a random level-16
potential instead (114 coordinates of the range), as an active set sees them.
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

from alflow.mtp import MomentTensorPotential
from alflow.selection import maxvol, parameter_range, rows
from alflow.selection.maxvol import SWAP_TOLERANCE


def crystal_rows(count: int) -> NDArray[np.float64]:
    """Rows of displaced crystals in the coordinates of the potential's range."""
    potential = MomentTensorPotential.random(["Mo"], 16, 5.2, min_distance_A=1.9)
    rng = np.random.default_rng(0)
    crystals = [bulk("Mo", "bcc", a=3.17, cubic=True).repeat(4) for _ in range(count)]
    for atoms in crystals:
        atoms.positions += 0.15 * rng.normal(size=atoms.positions.shape)
    return rows(potential, crystals) @ parameter_range(potential)


def timed(search: Callable[[], Any]) -> tuple[Any, float]:
    """Result and seconds."""
    begin = time.perf_counter()
    result = search()
    return result, time.perf_counter() - begin


def main() -> None:
    """Print one line a program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=125)
    parser.add_argument("--structures", type=int, help="rows of this many crystals instead")
    arguments = parser.parse_args()
    if arguments.structures:
        matrix = crystal_rows(arguments.structures)
    else:
        matrix = np.random.default_rng(0).normal(size=(arguments.rows, arguments.columns))

    own, own_seconds = timed(lambda: maxvol(matrix))
    peer, peer_seconds = timed(
        lambda: MaxVol(threshold=SWAP_TOLERANCE, init_method=InitMethod.QR).run(matrix)
    )
    print(f"{len(matrix)} rows, {matrix.shape[1]} columns, stop at |c| ≤ {1 + SWAP_TOLERANCE}")
    print(f"{'':8}{'seconds':>10}{'swaps':>8}{'ln |det|':>12}")
    print(f"{'alflow':8}{own_seconds:10.2f}{own.swaps:8d}{own.log_volume:12.3f}")
    print(f"{'motep':8}{peer_seconds:10.2f}{peer.nit:8d}{np.linalg.slogdet(peer.submatrix)[1]:12.3f}")
    print(f"alflow is {peer_seconds / own_seconds:.1f} times as fast")


if __name__ == "__main__":
    main()
