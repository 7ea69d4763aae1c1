from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from mo_crystals import displaced, mo_potential, several
from motep.grade import Grader
from motep.grade.maxvol import MaxVolResult
from motep.grade.setting import GradeMode
from motep.io.mlip.mtp import read_mtp as motep_read_mtp

from alflow.errors import InputError
from alflow.potentials.mtp import MomentTensorPotential, mtp_from_text, mtp_to_text, write_mtp
from alflow.selection import ActiveSet, active_set, rows
from alflow.selection.maxvol import SWAP_TOLERANCE

POTENTIAL = mo_potential()
MODES: list[active_set.Mode] = ["neighborhood", "configuration"]
TRAINING = several(0.15, range(4))
ACTIVE = ActiveSet.from_structures(POTENTIAL, TRAINING)


@pytest.mark.parametrize("level", [8, 16])
@pytest.mark.parametrize("mode", MODES)
def test_active_rows_have_grade_one_and_training_rows_no_more(level: int, mode: active_set.Mode) -> None:
    potential = mo_potential(level)
    training_rows = rows(potential, several(0.2, range(160), repeat=2), mode)
    active = ActiveSet.from_rows(potential, training_rows, mode)
    assert active.missing_count == 0
    np.testing.assert_allclose(active.grades(training_rows[active.origins]), 1, atol=1e-5)
    assert active.grades(training_rows).max() <= 1 + SWAP_TOLERANCE + 1e-5


def test_volume_is_numpys_determinant() -> None:
    sign, log_volume = np.linalg.slogdet(rows(POTENTIAL, TRAINING)[ACTIVE.origins] @ ACTIVE.basis)
    assert abs(sign) == 1
    assert ACTIVE.log_volume == pytest.approx(log_volume, abs=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_rows_that_are_never_held_at_once_are_all_within_the_active_set(
    mode: active_set.Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    structures = several(0.2, range(60), repeat=2)
    training_rows = rows(POTENTIAL, structures, mode)
    whole = ActiveSet.from_rows(POTENTIAL, training_rows, mode)
    monkeypatch.setattr(active_set, "ATOMS_AT_ONCE", 100)
    streamed = ActiveSet.from_structures(POTENTIAL, structures, mode)
    assert streamed.row_count == len(training_rows)
    assert streamed.grades(training_rows).max() <= 1 + SWAP_TOLERANCE + 1e-5
    np.testing.assert_allclose(streamed.grades(training_rows[streamed.origins]), 1, atol=1e-5)
    assert streamed.log_volume == pytest.approx(whole.log_volume, abs=0.1 * len(whole.matrix))


def test_pseudo_rows_decide_nothing_once_training_spans_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active_set, "PSEUDO_ROW_SIZE", 1e-9)
    candidates = rows(POTENTIAL, several(0.3, range(10, 14)))
    other = ActiveSet.from_structures(POTENTIAL, TRAINING)
    np.testing.assert_array_equal(other.origins, ACTIVE.origins)
    np.testing.assert_allclose(other.grades(candidates), ACTIVE.grades(candidates), rtol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_too_few_rows_give_large_finite_grades(mode: active_set.Mode) -> None:
    crystal = ActiveSet.from_structures(POTENTIAL, [displaced(0, 0)], mode)
    assert crystal.missing_count == len(crystal.matrix) - 1
    (same, _), (other, _) = crystal.grade_structures(POTENTIAL, [displaced(0, 0), displaced(0.1, 1)])
    assert same == pytest.approx(1)
    assert 1e3 < other < np.inf


def test_an_element_missing_from_training_has_a_large_finite_grade() -> None:
    alloy = MomentTensorPotential.random(["Mo", "W"], 8, 5.0, min_distance_A=1.9)
    active = ActiveSet.from_structures(alloy, TRAINING)
    pure, solute = displaced(0.15, 20), displaced(0.15, 20)
    solute.symbols[5] = "W"
    (pure_grade, _), (_, by_atom) = active.grade_structures(alloy, [pure, solute])
    assert by_atom is not None
    assert pure_grade < 5 and 1e3 < by_atom[5] < np.inf
    learnt = active.add(rows(alloy, [solute]))
    assert learnt.missing_count < active.missing_count
    assert learnt.grade_structures(alloy, [solute])[0][0] <= 1 + SWAP_TOLERANCE + 1e-6


def test_grades_do_not_hang_on_the_scale_of_parameters() -> None:
    """V stays if the scaling is multiplied by what the radial coefficients are divided by; rows do not."""
    scaled = replace(POTENTIAL, scaling=8.0, radial_coefficients=POTENTIAL.radial_coefficients / 8)
    hot = several(0.3, range(10, 13))
    own = [grade for grade, _ in ACTIVE.grade_structures(POTENTIAL, hot)]
    other = ActiveSet.from_structures(scaled, TRAINING)
    np.testing.assert_allclose([grade for grade, _ in other.grade_structures(scaled, hot)], own, rtol=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(100, 10**6), displacement_A=st.floats(0.25, 0.5))
def test_adding_a_structure_lowers_the_grade_of_its_like(seed: int, displacement_A: float) -> None:
    hot = displaced(displacement_A, seed)
    like = hot.copy()
    like.positions += 0.003 * np.random.default_rng(seed).normal(size=like.positions.shape)
    extended = ACTIVE.add(rows(POTENTIAL, [hot]))
    (before, _), (after_hot, _), (after_like, _) = (
        *ACTIVE.grade_structures(POTENTIAL, [like]),
        *extended.grade_structures(POTENTIAL, [hot, like]),
    )
    assert before > 1.5
    assert after_hot <= 1 + SWAP_TOLERANCE + 1e-6
    assert after_like < 0.8 * before
    assert extended.log_volume > ACTIVE.log_volume
    assert extended.row_count == ACTIVE.row_count + len(hot)


def test_more_disorder_is_more_extrapolative() -> None:
    graded = [ACTIVE.grade_structures(POTENTIAL, several(d, range(50, 53))) for d in (0.15, 0.25, 0.4)]
    median = [np.median([grade for grade, _ in some]) for some in graded]
    assert 0.5 < median[0] < 3 < median[1] < median[2]


def test_modes_agree_on_structures_of_one_atom() -> None:
    cells = [bulk("Mo", "bcc", a=a) for a in np.linspace(2.8, 3.6, 30)]
    training, candidates = cells[5:25], cells[:5] + cells[25:]
    by_mode = [
        ActiveSet.from_structures(POTENTIAL, training, mode).grade_structures(POTENTIAL, candidates)
        for mode in MODES
    ]
    grades = [[grade for grade, _ in graded] for graded in by_mode]
    np.testing.assert_allclose(grades[0], grades[1])


def test_grades_of_atoms_belong_to_their_structure() -> None:
    structures = [displaced(0.3, 1, repeat=2), displaced(0.1, 2, repeat=3)]
    together = ACTIVE.grade_structures(POTENTIAL, structures)
    for atoms, (grade, by_atom) in zip(structures, together, strict=True):
        assert by_atom is not None and len(by_atom) == len(atoms) and grade == by_atom.max()
        np.testing.assert_allclose(ACTIVE.grade_structures(POTENTIAL, [atoms])[0][1], by_atom, rtol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_motep_gives_the_same_grades_for_the_same_active_rows(mode: active_set.Mode, tmp_path: Path) -> None:
    """motep's engine and its least squares against ours.

    Left to choose by itself, motep takes as many rows as there are parameters, more than the rows' rank; the
    surplus shares the coefficients, so that its grades differ. With our rows there is only one solution.
    """
    training, hot = several(0.2, range(40), repeat=2), several(0.35, range(50, 55), repeat=2)
    active = ActiveSet.from_structures(POTENTIAL, training, mode)
    assert active.missing_count == 0
    write_mtp(tmp_path / "pot.mtp", POTENTIAL)
    data = motep_read_mtp(tmp_path / "pot.mtp")
    data.species = [42]
    grader = Grader(data, seed=0, mode=GradeMode(mode))
    grader.update(training)
    images = [atoms.copy() for atoms in training]
    grader._evaluate(images)
    matrix = grader._calc_jacobian(images)
    grader.maxvol_result = MaxVolResult(indices=active.origins, submatrix=matrix[active.origins])
    peer = [atoms.calc.results["MV_grade"] for atoms in grader.grade(hot)]
    own = [grade for grade, _ in active.grade_structures(POTENTIAL, hot)]
    assert max(own) > 2
    np.testing.assert_allclose(own, peer, rtol=1e-5)


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    ACTIVE.save(tmp_path / "active.npz")
    loaded = ActiveSet.load(tmp_path / "active.npz")
    candidates = rows(POTENTIAL, several(0.3, range(2)))
    np.testing.assert_array_equal(loaded.grades(candidates), ACTIVE.grades(candidates))
    assert (loaded.mode, loaded.species, loaded.row_count) == (ACTIVE.mode, ("Mo",), ACTIVE.row_count)
    np.testing.assert_array_equal(loaded.add(candidates).matrix, ACTIVE.add(candidates).matrix)


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        ACTIVE.to_bytes()[:500],
        npz(format="something else"),
        npz(format=np.array([{"pickled": 1}], dtype=object)),
    ],
)
def test_broken_data_are_named(data: bytes) -> None:
    with pytest.raises(InputError, match="round 3 is no file that an active set was saved to"):
        ActiveSet.from_bytes(data, "round 3")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.npz cannot be read"):
        ActiveSet.load(tmp_path / "nothing.npz")


def test_an_archive_of_a_version_that_python_lacks() -> None:
    data = ACTIVE.to_bytes()
    place = data.index(b"PK\x01\x02") + 6  # version needed to extract
    with pytest.raises(InputError, match="no file that an active set was saved to"):
        ActiveSet.from_bytes(data[:place] + b"\x73\x00" + data[place + 2 :])


@pytest.mark.parametrize(
    ("stranger", "message"),
    [
        (mo_potential(seed=1), "other parameters"),
        (mo_potential(level=10), "other parameters"),
        (replace(POTENTIAL, cutoff_A=5.1), "other parameters"),
        (
            MomentTensorPotential.random(["W"], 8, 5.0, min_distance_A=1.9),
            "species Mo, but the potential has W",
        ),
    ],
)
def test_another_potential_is_refused(stranger: MomentTensorPotential, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ACTIVE.grade_structures(stranger, [bulk("Mo")])


def test_the_potential_read_back_from_text_is_accepted() -> None:
    ACTIVE.check_belongs_to(mtp_from_text(mtp_to_text(POTENTIAL), ["Mo"], "text"))


def test_no_structures_or_an_unknown_mode_are_refused() -> None:
    with pytest.raises(InputError, match="at least one training structure"):
        ActiveSet.from_structures(POTENTIAL, [])
    with pytest.raises(InputError, match="mode is 'atoms'"):
        ActiveSet.from_structures(POTENTIAL, TRAINING, "atoms")  # type: ignore[arg-type]
