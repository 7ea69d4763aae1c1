from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alflow.errors import InputError
from alflow.hull import formation_energies, hull_distances

SYMBOLS = ["Cu", "Pd", "Al", "Ni"]


def some_structures(species: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Elements and random compounds with fractions of small integers, and their energies per atom."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 5, (count, species))
    counts[counts.sum(axis=1) == 0, 0] = 1
    counts = np.vstack([np.eye(species, dtype=int), counts])
    fractions = counts / counts.sum(axis=1, keepdims=True)
    references = random.uniform(-5, 5, species)
    return fractions, fractions @ references + random.normal(0, 0.1, len(fractions))


@pytest.mark.parametrize("species", [1, 2, 3, 4])
@given(seed=st.integers(0, 10_000), count=st.integers(0, 60))
@settings(max_examples=15, deadline=None)
def test_as_pymatgen(species: int, seed: int, count: int) -> None:
    analysis = pytest.importorskip("pymatgen.analysis.phase_diagram", reason="pymatgen is not installed")
    fractions, energies = some_structures(species, count, seed)
    entries = [
        analysis.PDEntry(dict(zip(SYMBOLS, row, strict=False)), energy)
        for row, energy in zip(fractions, energies, strict=True)
    ]
    diagram = analysis.PhaseDiagram(entries)
    expected = [diagram.get_e_above_hull(entry, allow_negative=True) for entry in entries]
    assert hull_distances(fractions, energies) == pytest.approx(expected, abs=1e-8)


@given(seed=st.integers(0, 10_000), species=st.integers(2, 4))
@settings(max_examples=20, deadline=None)
def test_what_lies_above_does_not_move_the_hull(seed: int, species: int) -> None:
    fractions, energies = some_structures(species, 40, seed)
    distances = hull_distances(fractions, energies)
    stable = distances == 0
    assert not hull_distances(fractions[stable], energies[stable]).any()
    higher = hull_distances(np.vstack([fractions, fractions]), np.append(energies, energies + 0.05))
    assert higher == pytest.approx(np.append(distances, distances + 0.05), abs=1e-9)


def test_without_compounds_the_elements_are_the_hull() -> None:
    fractions = np.array([[1, 0], [0, 1], [0.5, 0.5], [0.25, 0.75]])
    assert hull_distances(fractions, [-3, -4, -3.5, -3.7]) == pytest.approx([0, 0, 0, 0.05])


def test_formation_energies_vanish_for_the_elements() -> None:
    fractions = np.array([[1, 0], [0, 1], [0.5, 0.5]])
    assert formation_energies(fractions, [-3, -4, -3.6], [-3, -4]) == pytest.approx([0, 0, -0.1])


def test_a_missing_element_is_named() -> None:
    with pytest.raises(InputError, match="species 2 has no pure structure"):
        hull_distances([[1, 0], [0.5, 0.5]], [-3, -4])
