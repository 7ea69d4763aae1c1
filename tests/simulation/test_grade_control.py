"""What is saved, when a run pauses, and from where it resumes."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from model_calculators import PairModel, ThriftyModel, argon, farthest_displacement, same_state

from alflow.errors import InputError
from alflow.simulation import CandidateFrames, GradeControl, Guards, MDResult, MDSettings, run_md

SETTINGS = MDSettings(ensemble="nve", temperature_K=80, timestep_fs=5, steps=60)


def scripted(grades: list[float]) -> PairModel:
    """Grades by the number of the configuration seen."""
    remaining = iter(grades)
    return PairModel(lambda atoms: next(remaining))


def test_frames_above_save_are_saved_and_the_run_pauses_above_break() -> None:
    model = scripted([0.5, 2.1, 3.0, 1.0, 1.5, 4.0, 9.0, 12.0])
    result = run_md(argon(), model, SETTINGS, control=GradeControl())
    assert result.state == "paused"
    assert result.reason == "step 7: the extrapolation grade is 12, above gamma_break = 10"
    assert [(frame.info["step"], frame.info["extrapolation_grade"]) for frame in result.saved] == [
        (2, 3.0),
        (5, 4.0),
        (6, 9.0),
        (7, 12.0),
    ]
    assert result.checkpoint.step == 4
    assert result.history["extrapolation_grade"].tolist() == [0.5, 2.1, 3.0, 1.0, 1.5, 4.0, 9.0, 12.0]


def test_saved_frames_are_what_was_visited_and_carry_no_label() -> None:
    model = PairModel(farthest_displacement(30.0))
    result = run_md(argon(), model, SETTINGS, control=GradeControl())
    assert len(result.saved) > 2
    for frame in result.saved:
        assert frame.calc is None
        assert frame.info["extrapolation_grade"] == farthest_displacement(30.0)(frame)
    assert farthest_displacement(30.0)(result.checkpoint.to_atoms()) <= 2.1


def test_a_start_in_extrapolation_pauses_at_once_and_stays_the_checkpoint() -> None:
    result = run_md(argon(), scripted([50.0]), SETTINGS, control=GradeControl())
    assert (result.state, result.checkpoint.step, len(result.saved)) == ("paused", 0, 1)
    np.testing.assert_array_equal(result.checkpoint.positions, argon().positions)


def test_saved_frames_are_bounded_spread_and_hold_the_highest() -> None:
    rng = np.random.default_rng(0)
    grades = rng.uniform(2.2, 9.0, 61).tolist()
    result = run_md(argon(), scripted(grades), SETTINGS, control=GradeControl(max_saved=8))
    kept = [frame.info["extrapolation_grade"] for frame in result.saved]
    steps = np.array([frame.info["step"] for frame in result.saved])
    assert 4 <= len(kept) <= 8
    assert max(kept) == max(grades)
    assert (np.diff(steps) > 0).all()
    assert len(set(steps // 16)) == 4


def test_without_control_grades_are_noted_and_nothing_else() -> None:
    result = run_md(argon(), scripted([99.0] * 61), SETTINGS)
    assert (result.state, result.saved, result.checkpoint.step) == ("finished", [], 60)
    assert (result.history["extrapolation_grade"] == 99).all()


def test_a_grade_that_is_not_a_number_pauses() -> None:
    result = run_md(argon(), scripted([1.0, 1.0, float("nan")]), SETTINGS, control=GradeControl())
    assert (result.state, result.checkpoint.step, result.saved) == ("paused", 1, [])
    assert "not finite" in result.reason


def test_control_needs_a_calculator_with_grades() -> None:
    with pytest.raises(InputError, match="gives no extrapolation_grade"):
        run_md(argon(), PairModel(), SETTINGS, control=GradeControl())


def test_checkpoints_are_handed_out_with_what_was_saved_so_far() -> None:
    partial: list[MDResult] = []
    grades = [1.0] * 15 + [5.0] * 10 + [1.0] * 36
    run_md(
        argon(),
        scripted(grades),
        SETTINGS,
        control=GradeControl(),
        on_checkpoint=partial.append,
        checkpoint_interval=20,
    )
    assert [(one.state, one.checkpoint.step, len(one.saved)) for one in partial] == [
        ("running", 14, 6),
        ("running", 40, 10),
    ]


def test_progress_tells_step_grade_temperature_energy_and_volume() -> None:
    seen: list[tuple[int, dict[str, float]]] = []
    run_md(
        argon(),
        scripted([1.0] * 61),
        SETTINGS,
        on_progress=lambda step, info: seen.append((step, info)),
        progress_interval=20,
    )
    assert [step for step, _ in seen] == [0, 20, 40, 60]
    assert set(seen[0][1]) == {"step", "extrapolation_grade", "temperature_K", "energy_eV", "volume_A3"}


def test_the_start_is_not_changed() -> None:
    start: Atoms = argon()
    run_md(start, PairModel(), SETTINGS)
    np.testing.assert_array_equal(start.positions, argon().positions)
    assert start.calc is None and not start.has("momenta")


def test_frames_are_kept_where_one_is_told_to() -> None:
    frames = CandidateFrames(3)
    result = run_md(argon(), scripted([0.5, 3.0, 4.0, 12.0]), SETTINGS, control=GradeControl(), frames=frames)
    assert [frame.info["step"] for frame in frames.all()] == [1, 2, 3]
    assert len(result.saved) == 3


def every(interval: int, **changes: object) -> MDSettings:
    return SETTINGS.model_copy(update={"grade_every": interval, **changes})


@pytest.mark.parametrize("model", [ThriftyModel, PairModel])
def test_grades_every_n_steps_change_nothing_but_when_the_run_pauses(model: type[PairModel]) -> None:
    whole = run_md(argon(), model(farthest_displacement(2.0)), every(1), control=GradeControl())
    assert whole.state == "finished"
    rare = run_md(argon(), model(farthest_displacement(2.0)), every(7), control=GradeControl())
    assert same_state(rare.checkpoint, whole.checkpoint)
    assert rare.history["step"].tolist() == [0, 7, 14, 21, 28, 35, 42, 49, 56, 60]
    chosen = np.isin(whole.history["step"], rare.history["step"])
    for name, values in rare.history.items():
        np.testing.assert_array_equal(values, whole.history[name][chosen])

    steep = farthest_displacement(60.0)
    early = run_md(argon(), model(steep), every(1), control=GradeControl())
    late = run_md(argon(), model(steep), every(7), control=GradeControl())
    assert early.state == late.state == "paused"
    paused_at = [int(result.saved[-1].info["step"]) for result in (early, late)]
    assert paused_at[0] <= paused_at[1] < paused_at[0] + 7
    assert paused_at[1] % 7 == late.checkpoint.step % 7 == 0
    assert late.checkpoint.step <= early.checkpoint.step


def test_grades_that_are_not_wanted_are_not_computed_and_the_calculator_is_left_as_it_was() -> None:
    model = ThriftyModel(farthest_displacement(2.0))
    run_md(argon(), model, every(20), control=GradeControl())
    assert (model.computed, model.grades_wanted) == (4, True)


def test_a_run_that_is_interrupted_between_grades_goes_on_from_the_last_of_them() -> None:
    whole = run_md(argon(), ThriftyModel(farthest_displacement(2.0)), every(7), control=GradeControl())
    model = ThriftyModel(farthest_displacement(2.0))
    answers = iter([False] * 17 + [True])
    part = run_md(argon(), model, every(7), control=GradeControl(), stop_requested=lambda: next(answers))
    assert (part.state, part.checkpoint.step) == ("interrupted", 14)
    resumed = run_md(part.checkpoint, model, every(7), control=GradeControl())
    assert same_state(resumed.checkpoint, whole.checkpoint)


@pytest.mark.parametrize("model", [ThriftyModel, PairModel])
def test_a_guard_trips_between_grades_and_its_frame_has_a_grade(model: type[PairModel]) -> None:
    grade = farthest_displacement(2.0)
    hot = every(50, ensemble="nvt", temperature_K=500.0, friction_per_fs=0.1, timestep_fs=2.0, steps=500)
    start = argon()
    start.set_momenta(np.full((32, 3), 1e-3))
    guards = Guards(max_temperature_K=505)
    result = run_md(start, model(grade), hot, control=GradeControl(), guards=guards)
    assert result.state == "paused"
    (frame,) = result.saved
    assert frame.info["step"] % 50 != 0
    assert frame.info["extrapolation_grade"] == grade(frame)
    assert result.checkpoint.step % 50 == 0
