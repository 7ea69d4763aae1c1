from __future__ import annotations

import numpy as np
from ase.build import bulk, fcc111, molecule

from alflow.structures.cells import gaps_A, heights_A, repetitions


def test_heights_and_gaps() -> None:
    primitive = bulk("Si", a=5.43)
    np.testing.assert_allclose(heights_A(primitive), 5.43 / np.sqrt(3))
    slab = fcc111("Al", (2, 2, 3), a=4.05, vacuum=6.0, periodic=True)
    np.testing.assert_allclose(gaps_A(slab)[2], 12.0)
    assert np.isinf(heights_A(molecule("H2O"))).all()


def test_repetitions_fill_the_height_but_not_the_vacuum() -> None:
    assert repetitions(bulk("Si", a=5.43, cubic=True), 7.5, 100) == [2, 2, 2]
    assert repetitions(bulk("Si", a=5.43), 7.5, 100) == [3, 3, 3]
    slab = fcc111("Al", (1, 1, 3), a=4.05, vacuum=3.0, periodic=True)
    assert repetitions(slab, 8.0, 500)[2] == 1
    assert repetitions(bulk("Si", a=5.43, cubic=True), 20.0, 100) == [3, 2, 2]
    assert repetitions(molecule("H2O"), 8.0, 100) == [1, 1, 1]
