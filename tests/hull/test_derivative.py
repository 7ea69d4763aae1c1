from __future__ import annotations

from collections import Counter

import pytest
from ase.build import bulk

from alflow.errors import InputError
from alflow.hull.derivative import derivative_structures, parent_lattice

pytest.importorskip("icet", reason="needs icet: pip install 'alflow[hull]'")


def count(parent: str, species: str, max_atoms: int) -> int:
    return sum(1 for _ in derivative_structures(parent_lattice(parent), species.split(), max_atoms))


@pytest.mark.parametrize(("parent", "expected"), [("fcc", 631), ("bcc", 631), ("hcp", 333)])
def test_binary_counts_to_eight_atoms(parent: str, expected: int) -> None:
    assert count(parent, "Cu Pd", 8) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("parent", "expected"), [("fcc", 10850), ("bcc", 10850), ("hcp", 5777)])
def test_binary_counts_to_twelve_atoms(parent: str, expected: int) -> None:
    assert count(parent, "Cu Pd", 12) == expected


@pytest.mark.slow
def test_ternary_counts_to_eight_atoms() -> None:
    assert [count(parent, "Al Ni Ti", 8) for parent in ("fcc", "bcc", "hcp")] == [9808, 9808, 6075]


def test_range_of_sizes() -> None:
    found = derivative_structures(parent_lattice("fcc"), ["Cu", "Pd"], 6, min_atoms=4)
    assert Counter(len(atoms) for atoms in found) == {4: 19, 5: 28, 6: 80}


def test_conventional_cell_is_the_same_lattice() -> None:
    found = list(derivative_structures(bulk("NaCl", "zincblende", a=5.6, cubic=True), ["C", "Si"], 4))
    assert len(found) == count("diamond", "C Si", 4)


def test_range_without_room_is_refused() -> None:
    with pytest.raises(InputError, match=r"max_atoms is 1 .* has 2 atoms"):
        derivative_structures(parent_lattice("hcp"), ["Cu"], 1)


def test_unknown_parent_is_refused() -> None:
    with pytest.raises(InputError, match="parent lattice 'fccc' is neither one of fcc"):
        parent_lattice("fccc")
