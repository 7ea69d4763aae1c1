from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from model_calculators import argon

from alflow.simulation.distances import DistanceWatch, least_distance


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), strain=st.sampled_from([0.0, 0.01, 0.05]), periodic=st.booleans())
def test_the_watch_sees_what_a_search_at_every_step_sees(seed: int, strain: float, periodic: bool) -> None:
    rng = np.random.default_rng(seed)
    atoms = argon()[:8]
    atoms.pbc = periodic
    watch = DistanceWatch(2.8)
    for _ in range(20):
        atoms.positions += rng.normal(scale=0.08, size=(8, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain * rng.normal(size=(3, 3))), scale_atoms=True)
        nearest = least_distance(atoms, 5.0)
        assert watch.violation(atoms) == (nearest if nearest < 2.8 else None)


def test_an_image_of_an_atom_counts() -> None:
    atom = argon()[:1]
    atom.set_cell([1.5, 9, 9])
    assert least_distance(atom, 3.0) == 1.5
    atom.pbc = False
    assert least_distance(atom, 3.0) == 3.0
