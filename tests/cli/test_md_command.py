"""`alflow md` and `alflow relax`, on a small random potential."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write
from typer.testing import CliRunner

from alflow.cli import app
from alflow.potentials.mtp import Core, MomentTensorPotential, write_mtp


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A potential, a start and training structures around it, in the current folder."""
    monkeypatch.chdir(tmp_path)
    write_mtp("pot.mtp", MomentTensorPotential.random(("Li",), 6, 4.0, min_distance_A=2.0))
    lithium = bulk("Li", cubic=True) * (3, 3, 3)
    write("start.extxyz", lithium)
    train = [lithium.copy() for _ in range(5)]
    for seed, atoms in enumerate(train):
        atoms.rattle(0.1, seed=seed)
    write("train.extxyz", train)
    return tmp_path


def run(*words: str, exit_code: int = 0) -> dict[str, Any]:
    outcome = CliRunner().invoke(app, [*words, "--json"])
    assert outcome.exit_code == exit_code, outcome.output
    return json.loads(outcome.stdout)


MD = ("md", "pot.mtp", "start.extxyz", "--temperature", "50")


def test_a_run_resumes_from_its_checkpoint_as_if_it_had_not_stopped() -> None:
    whole = run(*MD, "--steps", "60", "-o", "whole.extxyz", "--interval", "10", "--checkpoint", "whole.json")
    assert (whole["state"], whole["last_step"], whole["highest_grade"]) == ("finished", 60, None)
    run(*MD, "--steps", "25", "-o", "part.extxyz", "--interval", "10", "--checkpoint", "part.json")
    resumed = run(*MD, "--steps", "60", "-o", "part.extxyz", "--interval", "10", "--checkpoint", "part.json")
    assert (resumed["first_step"], resumed["last_step"]) == (25, 60)
    assert Path("part.extxyz").read_text() == Path("whole.extxyz").read_text()
    assert json.loads(Path("part.json").read_text()) == json.loads(Path("whole.json").read_text())
    assert len(read("part.extxyz", index=":")) == 7


def test_ramps_and_cells_and_grades_now_and_then() -> None:
    ramp = ["--ensemble", "npt", "--cell", "axes", "--temperature-to", "80", "--pressure-to", "0.01"]
    some = [*ramp, "--grade-every", "8", "--threads", "2", "--train", "train.extxyz"]
    result = run(*MD, "--steps", "30", *some, "-o", "md.extxyz", "--interval", "15")
    assert (result["state"], result["last_step"], result["checkpoint_step"]) == ("finished", 30, 30)
    lengths = read("md.extxyz", index=-1).cell.lengths()
    assert len(set(lengths.round(9))) == 3


def test_with_training_structures_a_run_pauses_and_saves_where_it_extrapolates() -> None:
    result = run(*MD, "--steps", "2000", "--train", "train.extxyz", "--saved", "saved.extxyz", exit_code=1)
    assert result["state"] == "paused"
    assert "above gamma_break = 10" in result["reason"]
    saved = read("saved.extxyz", index=":")
    assert len(saved) == result["saved_frames"]
    assert saved[-1].info["extrapolation_grade"] == pytest.approx(result["highest_grade"])
    assert result["checkpoint_step"] < saved[0].info["step"]


def test_a_guard_ends_an_ungraded_run_with_exit_code_1_and_its_reason() -> None:
    hot = [*MD, "--steps", "2000", "--max-temperature", "60"]
    outcome = CliRunner().invoke(app, hot)
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("no active set: the run cannot tell when the potential extrapolates")
    assert "K, above max_temperature_K = 60" in outcome.stderr.splitlines()[-1]
    graded = CliRunner().invoke(app, [*MD, "--steps", "5", "--train", "train.extxyz"])
    assert "no active set" not in graded.stderr


def test_structures_are_relaxed_one_after_the_other() -> None:
    rows = run("relax", "pot.mtp", "train.extxyz", "--fmax", "1e-5", "--fixed-cell", "-o", "relaxed.extxyz")
    states = [row["state"] for row in rows["structures"]]
    assert states == ["converged"] * 5
    assert min(row["steps"] for row in rows["structures"]) > 0
    assert max(row["max_force_eV_A"] for row in rows["structures"]) <= 1e-5
    relaxed = read("relaxed.extxyz", index=":")
    assert all(np.array_equal(atoms.cell, relaxed[0].cell) for atoms in relaxed)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*MD, "--steps", "-1"], "`steps` is -1, but it must be greater than or equal to 0"),
        (
            [*MD, "--gamma-break", "1", "--train", "train.extxyz"],
            "gamma_break = 1 must not be below gamma_save = 2.1",
        ),
        ([*MD, "--train", "train.extxyz", "--active-set", "a.npz"], "takes one of them"),
        ([*MD, "--active-set", "absent.npz"], "absent.npz cannot be read"),
        ([*MD, "-o", "md.traj"], "must end in .extxyz"),
        ([*MD, "--checkpoint", "pot.mtp"], "pot.mtp: cannot be read as a checkpoint"),
        (["md", "pot.mtp", "absent.extxyz"], "absent.extxyz: there is no such file"),
        (
            ["relax", "pot.mtp", "start.extxyz", "--fmax", "0"],
            "`max_force_eV_A` is 0.0, but it must be greater than 0",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(words: list[str], message: str) -> None:
    outcome = CliRunner().invoke(app, words)
    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_a_core_allows_atoms_that_are_very_close() -> None:
    core = Core(np.array([[0.8]]), np.array([[1.6]]))
    write_mtp("core.mtp", MomentTensorPotential.random(("Li",), 6, 4.0, min_distance_A=2.0, core=core))
    write("near.extxyz", Atoms("Li2", [[0, 0, 0], [0.4, 0, 0]]))
    words = ("near.extxyz", "--steps", "3", "--timestep", "0.05", "--ensemble", "nve", "--json")
    near = CliRunner().invoke(app, ["md", "pot.mtp", *words])
    assert "nearer than min_distance_A" in near.output
    allowed = CliRunner().invoke(app, ["md", "core.mtp", *words, "--max-temperature", "1000000"])
    assert allowed.exit_code == 0 and "nearer" not in allowed.output
