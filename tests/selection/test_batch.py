from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from mo_crystals import displaced, mo_potential, several

from alflow.errors import InputError
from alflow.selection import ActiveSet, fingerprint, rows, select
from alflow.selection.batch import _next

POTENTIAL = mo_potential()
ACTIVE = ActiveSet.from_structures(POTENTIAL, several(0.15, range(4)))


def with_close_pair(distance_A: float) -> Atoms:
    atoms = displaced(0.05, 7)
    atoms.positions[1] = atoms.positions[0] + [distance_A, 0, 0]
    return atoms


def test_most_extrapolative_goes_first_and_interpolated_ones_not_at_all() -> None:
    candidates = [displaced(0.1, 20), displaced(0.2, 21), displaced(0.22, 22)]
    selection = select(POTENTIAL, ACTIVE, candidates, 3)
    assert selection.grades[0] <= 2.1
    assert selection.chosen[0] == selection.grades.argmax() and selection.grades.max() < 100
    assert 0 not in selection.chosen and not selection.rejected
    assert selection.final_grades.max() <= 2.1


def test_each_choice_lowers_the_grades_of_its_like() -> None:
    hot = displaced(0.3, 30)
    like = hot.copy()
    like.positions += 0.01 * np.random.default_rng(0).normal(size=like.positions.shape)
    selection = select(POTENTIAL, ACTIVE, [hot, like], 2)
    assert selection.grades.min() > 2.1
    assert len(selection.chosen) == 1
    assert selection.final_grades.max() <= 2.1


def test_count_limits_and_the_active_set_stays_as_it_was() -> None:
    before = ACTIVE.to_bytes()
    selection = select(POTENTIAL, ACTIVE, several(0.3, range(40, 46)), 1)
    assert len(selection.chosen) == 1
    assert ACTIVE.to_bytes() == before
    assert select(POTENTIAL, ACTIVE, several(0.3, range(40, 46)), 0).chosen == []


def test_chosen_ones_would_be_chosen_one_by_one_too() -> None:
    candidates = several(0.25, range(60, 66))
    selection = select(POTENTIAL, ACTIVE, candidates, 3)
    active = ACTIVE
    for pick in selection.chosen:
        grades = [grade for grade, _ in active.grade_structures(POTENTIAL, candidates)]
        assert np.argmax(grades) == pick and grades[pick] <= 100
        active = active.add(rows(POTENTIAL, [candidates[pick]]))


@pytest.mark.parametrize(
    ("grades", "expected"),
    [
        ([1.0, 2.1, np.nan], None),
        ([3.0, 50.0, 1.0], 1),
        ([3.0, 1e6, 200.0], 0),
        ([1.0, 1e6, 200.0, np.nan], 2),
        ([np.inf, 1e6], 1),
        ([np.inf, 1.0], 0),
    ],
)
def test_sane_grades_go_first_by_size_then_the_least_absurd(
    grades: list[float], expected: int | None
) -> None:
    assert _next(np.array(grades), gamma_select=2.1, gamma_absurd=100.0) == expected


def test_near_duplicates_are_refused() -> None:
    hot = displaced(0.3, 30)
    turned = hot.copy()
    turned.rotate(35, (1, 2, 3), rotate_cell=True)
    selection = select(POTENTIAL, ACTIVE, [hot, displaced(0.3, 31)], 2, known=[fingerprint(turned)])
    assert selection.chosen == [1]
    assert selection.rejected == {0: "near-duplicate of known structure 0"}


def test_copies_among_the_candidates_are_refused_even_where_grades_stay_high() -> None:
    hot = displaced(0.3, 30)
    selection = select(POTENTIAL, ACTIVE, [hot, hot.copy()], 2, gamma_select=0.5)
    assert selection.chosen == [0]
    assert selection.rejected == {1: "near-duplicate of candidate 0"}


def test_unphysical_candidates_are_refused_with_the_reason() -> None:
    broken = displaced(0.1, 8)
    broken.positions[0] = np.nan
    candidates = [with_close_pair(0.8), broken, displaced(0.3, 30), with_close_pair(0.0)]
    selection = select(POTENTIAL, ACTIVE, candidates, 4, min_distance_A=1.2)
    assert selection.chosen == [2]
    assert selection.rejected[0] == "two atoms are 0.800 Å apart, closer than min_distance_A = 1.2"
    assert set(selection.rejected) == {0, 1, 3}
    assert np.isnan(selection.grades[[0, 1, 3]]).all()


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="no species Cu"):
        select(POTENTIAL, ACTIVE, [Atoms("Cu")], 1)
    with pytest.raises(InputError, match="-1"):
        select(POTENTIAL, ACTIVE, [], -1)
    with pytest.raises(InputError, match="other parameters"):
        select(mo_potential(seed=9), ACTIVE, [], 1)


def test_no_candidates_give_an_empty_selection() -> None:
    selection = select(POTENTIAL, ACTIVE, [], 3)
    assert selection.chosen == [] and selection.grades.shape == (0,)
