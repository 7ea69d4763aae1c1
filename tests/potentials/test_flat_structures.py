from __future__ import annotations

import numpy as np
import pytest
from structures import awkward, potential

from alflow.errors import InputError
from alflow.potentials import FlatStructures, evaluate


def test_flat_structures_are_evaluated_as_lists_are() -> None:
    structures = list(awkward(2).values())
    model = potential(6, species=2)
    one, other = evaluate(model, structures), evaluate(model, FlatStructures.of(structures))
    np.testing.assert_array_equal(one.energies, other.energies)
    np.testing.assert_array_equal(one.virials, other.virials)


def test_a_part_is_what_its_structures_are() -> None:
    structures = list(awkward(2).values())
    part, expected = FlatStructures.of(structures).part(2, 5), FlatStructures.of(structures[2:5])
    assert len(part) == 3
    for name, values in vars(expected).items():
        np.testing.assert_array_equal(getattr(part, name), values)
    assert len(FlatStructures.of([])) == 0


def test_a_missing_species_is_named() -> None:
    with pytest.raises(InputError, match="no species Pd"):
        evaluate(potential(4, species=1), FlatStructures.of(list(awkward(2).values())))
