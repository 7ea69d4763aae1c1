"""relax, convert and grade: what can be used is written, and the rest is counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian
from ase.io import read, write
from click.testing import Result
from typer.testing import CliRunner

from alflow.cli import app
from alflow.potentials.mtp import MomentTensorPotential, read_mtp, write_mtp
from alflow.structures.files import read_structures, write_structures

SPECIES = ("Fe", "Al", "Cr")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_mtp("pot.mtp", MomentTensorPotential.random(SPECIES, 2, 4.0, seed=3))
    return tmp_path


def run(*words: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == exit_code, result.output
    return result


def iron(**changes: object) -> Atoms:
    atoms = bulk("Fe", a=2.9, cubic=True)
    atoms.rattle(0.05, seed=1)
    for name, value in changes.items():
        setattr(atoms, name, value)
    return atoms


def mixed() -> list[Atoms]:
    """Frames 1 and 4 can be used; 2 and 3 have one kind of fault, 5 another."""
    coinciding = iron(positions=[[0, 0, 0], [0, 0, 0.1]])
    worse = iron(positions=[[0, 0, 0], [0, 0.2, 0]])
    return [iron(), coinciding, worse, iron(info={"name": "four"}), bulk("Au", cubic=True)]


def test_frames_with_arrays_of_their_own_are_relaxed(reference_data: Path) -> None:
    source = reference_data / "cases" / "15-relax-mixed-batch" / "mixb.extxyz"
    run("relax", "pot.mtp", str(source), "--fixed-cell", "--steps", "2", "-o", "relaxed.extxyz")
    before, after = read(source, index=":"), read("relaxed.extxyz", index=":")
    assert [set(atoms.arrays) for atoms in after] == [set(atoms.arrays) for atoms in before]
    for old, new in zip(before, after, strict=True):
        for name in ("initial_magmoms", "tags"):
            if name in old.arrays:
                np.testing.assert_array_equal(new.arrays[name], old.arrays[name])
        assert (new.pbc == old.pbc).all()
        assert new.info["state"] in ("converged", "unconverged")
    said = run("relax", "pot.mtp", str(source), "--steps", "1", "-o", "cells.extxyz").stderr
    assert "1 of 3 frames were set aside: frame 2: the cell is to be relaxed" in said
    assert len(read("cells.extxyz", index=":")) == 2


@pytest.mark.parametrize(
    "command",
    [
        ["relax", "pot.mtp", "mixed.extxyz", "--fixed-cell", "--steps", "1", "-o", "out.extxyz"],
        ["grade", "pot.mtp", "mixed.extxyz", "--train", "train.extxyz", "-o", "out.extxyz"],
        ["convert", "mixed.extxyz", "out.extxyz"],
    ],
    ids=lambda words: words[0],
)
def test_one_line_per_kind_of_reason(command: list[str]) -> None:
    write_structures("train.extxyz", [iron()])
    write_structures("mixed.extxyz", mixed())
    result = run(*command, "--json")
    lines = [line for line in result.stderr.splitlines() if "set aside" in line]
    assert "2 of 5 frames were set aside: frame 2 has atoms 0 and 1 0.1 Å apart" in lines[0]
    assert lines[0].endswith("(and 1 more like it)")
    gold = command[0] != "convert"  # which knows no species
    assert len(lines) == 1 + gold
    assert sum(json.loads(result.stdout)["set_aside"].values()) == 2 + gold
    written = read("out.extxyz", index=":")
    assert len(written) == 3 - gold
    assert written[1].info["name"] == "four"


def test_tables_number_the_frames_of_the_file() -> None:
    write_structures("mixed.extxyz", mixed())
    result = run("relax", "pot.mtp", "mixed.extxyz", "--fixed-cell", "--steps", "1", "--json")
    assert [row["frame"] for row in json.loads(result.stdout)["structures"]] == [1, 4]


@pytest.mark.parametrize("command", ["relax", "grade", "convert"])
def test_nothing_usable_writes_nothing(command: str) -> None:
    write_structures("train.extxyz", [iron()])
    write_structures("bad.extxyz", mixed()[1:3])
    Path("out.extxyz").write_text("before")
    words = {
        "relax": ["pot.mtp", "bad.extxyz", "-o", "out.extxyz"],
        "grade": ["pot.mtp", "bad.extxyz", "--train", "train.extxyz", "-o", "out.extxyz"],
        "convert": ["bad.extxyz", "out.extxyz"],
    }[command]
    said = run(command, *words, exit_code=2).stderr
    assert "2 of 2 frames were set aside: frame 1 has atoms 0 and 1" in said
    assert len(said.splitlines()) == 1
    assert Path("out.extxyz").read_text() == "before"


def test_frames_before_a_broken_one_are_converted() -> None:
    write_structures("whole.extxyz", [iron()] * 3)
    text = Path("whole.extxyz").read_text()
    Path("cut.extxyz").write_text(text[: -len(text) // 9])
    said = run("convert", "cut.extxyz", "out.extxyz").stderr
    assert "after frame 2, it is cut off or broken" in said
    assert len(read("out.extxyz", index=":")) == 2


def test_broken_blocks_of_cfg_files_are_set_aside() -> None:
    write_structures("whole.cfg", [iron()] * 4, species=["Fe"])
    blocks = Path("whole.cfg").read_text().split("\n\n")
    blocks[1] = blocks[1].replace("Supercell", "Supermarket")
    Path("broken.cfg").write_text("\n\n".join(blocks)[:-10])
    said = run("convert", "broken.cfg", "out.extxyz", "--species", "Fe").stderr
    assert "1 of 3 frames were set aside: frame 2 has an unknown keyword 'Supermarket'" in said
    assert "frame 4 is cut off, its END_CFG is missing; the frames before it are used" in said
    assert len(read("out.extxyz", index=":")) == 2


def test_labels_that_contradict_each_other_set_a_frame_aside() -> None:
    text = "1\npbc=F energy=-1.0\nFe 0 0 0\n1\npbc=F energy=-1.0 REF_energy=-2.0\nFe 0 0 0\n"
    Path("two.extxyz").write_text(text)
    said = run("convert", "two.extxyz", "out.extxyz").stderr
    assert "1 of 2 frames were set aside: frame 2 has" in said
    assert [atoms.get_potential_energy() for atoms in read("out.extxyz", index=":")] == [-1.0]


def test_ghost_atoms_do_not_count_for_the_grade() -> None:
    write_structures("train.extxyz", [iron() * (2, 2, 2)])
    cluster = iron() * (2, 2, 2)
    cluster.pbc = False
    ghosts = np.zeros(len(cluster), dtype=bool)
    plain = cluster.copy()
    write_structures("plain.extxyz", [plain])
    grade = ["grade", "pot.mtp", "--train", "train.extxyz"]
    run(*grade, "plain.extxyz", "-o", "graded.extxyz")
    by_atom = read("graded.extxyz").arrays["extrapolation_grades"]
    ghosts[np.argmax(by_atom)] = True
    cluster.set_array("ghost", ghosts)
    write_structures("ghosts.extxyz", [cluster])
    found = json.loads(run(*grade, "ghosts.extxyz", "--json").stdout)["extrapolation_grades"]
    assert found == pytest.approx([np.sort(by_atom)[-2]])
    words = [*grade, "ghosts.extxyz", "--mode", "configuration"]
    assert "ghost atoms" in run(*words, exit_code=2).stderr


@pytest.mark.parametrize("cell", ["--fixed-cell", "--cell"])
@pytest.mark.parametrize("name", ["start.extxyz", "POSCAR"])
def test_relaxation_keeps_fixed_atoms_and_components(
    name: str, cell: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_mtp("pot.mtp", MomentTensorPotential.random(SPECIES, 6, 4.0, seed=3))
    atoms = iron() * (2, 1, 1)
    atoms.rattle(0.1, seed=2)
    atoms.set_constraint([FixAtoms([0]), FixCartesian(2, (True, False, False))])
    write_structures(name, [atoms])
    start = read_structures(name)[0]
    result = run("relax", "pot.mtp", name, cell, "--steps", "3", "-o", "out.extxyz")
    assert ("fixed atoms move with the cell" in result.stderr) == (cell == "--cell")
    (relaxed,) = read_structures("out.extxyz")
    moved = np.abs(relaxed.get_scaled_positions() - start.get_scaled_positions())
    assert moved[0].max() < 1e-7
    if cell == "--fixed-cell":
        assert moved[2, 0] < 1e-7
    assert moved[2, 1:].max() > 1e-4
    assert moved[1].max() > 1e-4
    sheared = name == "POSCAR" and cell == "--cell"  # a fixed fraction is then no Cartesian component
    assert len(relaxed.constraints) == (1 if sheared else 2)
    assert ("does not hold all constraints" in caplog.text) == sheared


def test_molecular_dynamics_keeps_fixed_atoms() -> None:
    slab = fcc111("Al", (2, 2, 3), a=4.05, vacuum=6.0)
    slab.info = {}
    slab.set_constraint(FixCartesian(range(4), (True, True, True)))
    write_structures("slab.extxyz", [slab])
    run(
        "md",
        "pot.mtp",
        "slab.extxyz",
        "--temperature",
        "50",
        "--steps",
        "20",
        "--interval",
        "20",
        "-o",
        "md.extxyz",
    )
    last = read("md.extxyz", index=-1)
    moved = np.linalg.norm(last.positions - read("slab.extxyz").positions, axis=1)
    assert moved[:4].max() < 1e-7
    assert moved[4:].min() > 1e-4


def test_molecular_dynamics_refuses_what_it_cannot_hold() -> None:
    atoms = iron()
    atoms.set_constraint(FixCartesian(0, (True, False, False)))
    write_structures("start.extxyz", [atoms])
    said = run("md", "pot.mtp", "start.extxyz", "--steps", "1", exit_code=2).stderr
    assert "FixCartesian constraint, but only FixAtoms is supported" in said


def test_a_format_by_its_name_in_every_command() -> None:
    species = read_mtp("pot.mtp").species
    train = [iron() * (2, 1, 1) for _ in range(3)]
    for seed, atoms in enumerate(train):
        atoms.rattle(0.1, seed=seed)
        atoms.calc = SinglePointCalculator(atoms, energy=-1.0, forces=np.zeros((4, 3)))
    write_structures("train.cfg", train, species=species)
    Path("train.cfg").rename("train.txt")
    write("start.txt", train, format="extxyz")
    named = ["--format", "extxyz"]
    run("evaluate", "pot.mtp", "start.txt", *named)
    run("grade", "pot.mtp", "start.txt", "--train", "train.txt", *named)
    run("select", "pot.mtp", "start.txt", "--train", "train.txt", "-o", "chosen.extxyz", *named, exit_code=1)
    run("relax", "pot.mtp", "start.txt", "--steps", "1", *named)
    run("md", "pot.mtp", "start.txt", "--steps", "1", "--temperature", "10", *named)
    small = ["--level", "2", "--cutoff", "4", "--starts", "1", "--max-iterations", "1"]
    run("fit", "start.txt", "--test", "start.txt", "-o", "new.mtp", *small, *named)
    for command in (["evaluate", "pot.mtp"], ["relax", "pot.mtp"], ["fit"]):
        assert "xyzzy" in run(*command, "start.txt", "--format", "xyzzy", exit_code=2).stderr


def test_a_run_that_cannot_begin_leaves_the_old_trajectory() -> None:
    slab = fcc111("Al", (1, 1, 3), a=4.05, vacuum=6.0)
    slab.info = {}
    write_structures("slab.extxyz", [slab])
    Path("md.extxyz").write_text("before")
    words = ["pot.mtp", "slab.extxyz", "--steps", "1", "--ensemble", "npt", "-o", "md.extxyz"]
    run("md", *words, exit_code=2)
    assert Path("md.extxyz").read_text() == "before"
