"""Wrong campaign files and data files: one sentence, exit code 2, and nothing is changed."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from pymongo import MongoClient
from typer.testing import CliRunner

from alflow.cli import app
from alflow.potentials.mtp import MomentTensorPotential, write_mtp

CAMPAIGN: dict[str, Any] = {
    "name": "wrong",
    "species": ["Cu"],
    "structures": [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61}}],
    "potential": {"level": 8, "cutoff_A": 5.0},
    "explorers": [{"name": "md", "structure": "fcc", "temperature_K": 300, "steps": 10}],
    "selection": {"gamma_save": 2.1, "gamma_break": 10},
    "qm": {"interface": "ase", "options": {"calculator": "ase.calculators.emt.EMT"}},
}


def labelled_copper(count: int = 3) -> list[Atoms]:
    structures = []
    for number in range(count):
        atoms = bulk("Cu", a=3.6, cubic=True)
        atoms.rattle(0.05, seed=number)
        atoms.calc = SinglePointCalculator(atoms, energy=-14.0, forces=np.full((4, 3), 0.1))
        structures.append(atoms)
    return structures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data files, good and bad."""
    folder = tmp_path_factory.mktemp("data")
    good = labelled_copper()
    ase.io.write(folder / "good.extxyz", good)
    write_mtp(folder / "good.mtp", MomentTensorPotential.random(["Cu"], 4, 4.5, seed=1))
    write_mtp(folder / "silver.mtp", MomentTensorPotential.random(["Ag"], 4, 4.5, seed=1))

    def write_changed(name: str, change: Callable[[Atoms], None]) -> None:
        structures = labelled_copper()
        change(structures[1])
        ase.io.write(folder / name, structures)

    def stretch(factor: float) -> Callable[[Atoms], None]:
        def change(atoms: Atoms) -> None:
            calculator, atoms.calc = atoms.calc, None
            atoms.set_cell(factor * atoms.cell, scale_atoms=True)
            atoms.calc = SinglePointCalculator(atoms, **calculator.results)

        return change

    write_changed("cm.extxyz", stretch(100.0))
    write_changed("nm.extxyz", stretch(0.01))
    write_changed("nan.traj", lambda atoms: atoms.positions.fill(np.nan))
    write_changed("flat.extxyz", lambda atoms: setattr(atoms, "cell", [3.6, 3.6, 0.0]))
    write_changed("gold.extxyz", lambda atoms: setattr(atoms, "symbols", ["Cu", "Cu", "Cu", "Au"]))
    write_changed("noenergy.extxyz", lambda atoms: atoms.calc.results.clear())
    write_changed("bigforce.extxyz", lambda atoms: atoms.calc.results.update(forces=np.full((4, 3), 1e4)))
    write_changed("bigenergy.extxyz", lambda atoms: atoms.calc.results.update(energy=-1400.0))
    write_changed("gpa.extxyz", lambda atoms: atoms.calc.results.update(stress=np.full(6, 160.0)))
    for number, atoms in enumerate(good):
        atoms.info["id"] = number // 2
    ase.io.write(folder / "sameid.extxyz", good)
    text = (folder / "good.extxyz").read_text()
    (folder / "cut.extxyz").write_text(text[: int(0.9 * len(text))])
    (folder / "empty.extxyz").write_text("")
    (folder / "cut.cfg").write_text("BEGIN_CFG\n Size\n  2\n")
    mtp = (folder / "good.mtp").read_text()
    (folder / "cut.mtp").write_text(mtp[: len(mtp) // 2])
    (folder / "empty.mtp").write_text("")
    (folder / "binary.mtp").write_bytes(bytes(range(128, 256)))
    return folder


def assert_refused(exit_code: int, stderr: str, *words: str) -> None:
    """Exit code 2 and one sentence that says the words."""
    assert exit_code == 2, stderr
    assert stderr.startswith("alflow: ")
    assert stderr.count("\n") == 1
    for word in words:
        assert word in stderr


def refused(*arguments: object, words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert_refused(result.exit_code, result.stderr, *words)
    assert result.stdout == ""


# --- campaign files -------------------------------------------------------------------------------------


def contents(uri: str) -> dict[str, list[str]]:
    """Every document of every database of a server."""
    with MongoClient[Any](uri) as client:
        return {
            f"{database}.{collection}": sorted(
                str(document) for document in client[database][collection].find()
            )
            for database in client.list_database_names()
            if database not in ("admin", "config", "local")
            for collection in client[database].list_collection_names()
        }


@pytest.fixture(scope="module")
def server(database_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a campaign that has begun."""
    good = tmp_path_factory.mktemp("good") / "good.yaml"
    good.write_text(yaml.safe_dump(CAMPAIGN | {"name": "begun"}))
    result = CliRunner().invoke(app, ["submit", str(good), "--uri", database_uri])
    assert result.exit_code == 0, result.output
    yield database_uri
    with MongoClient[Any](database_uri) as client:
        client.drop_database("alflow")


def changed(path: str, value: Any) -> str:
    """The campaign with another value at a path such as ``explorers.0.steps``; ``...`` removes the key."""
    data = copy.deepcopy(CAMPAIGN)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place: Any = data
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return yaml.safe_dump(data)


TWO_FCC = [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": a}} for a in (3.6, 3.7)]
WRONG_CAMPAIGNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "unknown key": (changed("potental", 1), ("`potental`", "`potential`")),
    "unknown nested key": (changed("potential.cutof_A", 5.0), ("`cutof_A`", "`cutoff_A`")),
    "missing key": (changed("species", ...), ("`species` is missing",)),
    "negative cutoff": (changed("potential.cutoff_A", -5.0), ("`potential.cutoff_A`", "-5")),
    "cutoff 100 times too large": (changed("potential.cutoff_A", 500.0), ("`potential.cutoff_A`", "500")),
    "cutoff 100 times too small": (changed("potential.cutoff_A", 0.05), ("`potential.cutoff_A`", "0.05")),
    "lattice constant in pm": (changed("structures.0.build.a_A", 361.0), ("a_A", "361")),
    "time step in as": (changed("explorers.0.timestep_fs", 1000.0), ("timestep_fs", "1000")),
    "level 7": (changed("potential.level", 7), ("`potential.level`", "7", "even")),
    "wrong type": (changed("potential.level", "sixteen"), ("`potential.level`", "sixteen")),
    "negative temperature": (changed("explorers.0.temperature_K", -300), ("temperature_K", "-300")),
    "temperature not a number": (changed("explorers.0.temperature_K", float("nan")), ("temperature_K",)),
    "no length": (changed("explorers.0.steps", ...), ("duration_ps", "steps")),
    "γ_break below γ_save": (changed("selection.gamma_break", 1.5), ("gamma_break", "gamma_save")),
    "unknown structure": (changed("explorers.0.structure", "bcc"), ("'bcc'", "fcc")),
    "same name twice": (changed("structures", TWO_FCC), ("structure 'fcc' is given twice",)),
    "same species twice": (changed("species", ["Cu", "Cu"]), ("'Cu' is given twice",)),
    "no element": (changed("species", ["Qx"]), ("species", "Qx")),
    "species missing": (changed("species", ["Al"]), ("Cu", "Al")),
    "unknown QM interface": (changed("qm", {"interface": "vaps"}), ("'vaps'", "mock")),
    "unknown QM option": (changed("qm.options.kpoints", 3), ("'kpoints'",)),
    "calculator outside the allow-list": (changed("qm.options.calculator", "os.path.join"), ("os.path",)),
    "structure file missing": (
        changed("structures.0", {"name": "fcc", "file": "nowhere.vasp"}),
        ("nowhere.vasp", "does not exist"),
    ),
    "training file with NaN": (changed("initial", {"file": "nan.traj"}), ("nan.traj", "frame 2", "position")),
    "training file cut off": (changed("initial", {"file": "cut.extxyz"}), ("cut.extxyz", "cut off")),
    "training file of another element": (changed("initial", {"file": "gold.extxyz"}), ("Au", "Cu")),
    "training file without energies": (changed("initial", {"file": "noenergy.extxyz"}), ("no energy",)),
    "key given twice": ("name: a\nname: b\n", ("'name'", "twice")),
    "YAML syntax": ("name: [wrong\nspecies: Cu\n", ("line", "YAML")),
    "empty file": ("", ("is empty",)),
    "a list": ("- 1\n- 2\n", ("keys",)),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_CAMPAIGNS)
def test_a_wrong_campaign_is_refused_and_leaves_the_database_as_it_was(
    case: str, tmp_path: Path, folder: Path, server: str
) -> None:
    text, words = WRONG_CAMPAIGNS[case]
    for name in ("nan.traj", "cut.extxyz", "gold.extxyz", "noenergy.extxyz"):
        shutil.copy(folder / name, tmp_path)
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    before = contents(server)
    assert before["alflow.campaigns"]
    refused("submit", path, "--uri", server, words=words)
    refused("run", path, words=words)
    assert contents(server) == before
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("potential.level", 10, ("`potential`", "begun", "new name")),
        ("species", ["Cu", "Au"], ("`species`", "begun", "new name")),
        ("explorers.0.temperature_K", 400, ("temperature_K = 300", "400", "begun")),
        ("qm", {"interface": "mock"}, ("level of theory", "new name")),
    ],
)
def test_a_campaign_that_has_begun_does_not_change_its_nature(
    path: str, value: Any, words: tuple[str, ...], tmp_path: Path, server: str
) -> None:
    file = tmp_path / "begun.yaml"
    file.write_text(changed(path, value).replace("name: wrong", "name: begun"))
    before = contents(server)
    refused("submit", file, "--uri", server, words=words)
    assert contents(server) == before


@pytest.mark.parametrize("command", ["run", "submit", "report", "status"])
def test_a_campaign_file_that_is_not_there(command: str, server: str, tmp_path: Path) -> None:
    refused(command, tmp_path / "no.yaml", "--uri", server, words=("no.yaml", "no such file"))


def test_a_campaign_that_the_database_has_not(server: str, tmp_path: Path) -> None:
    refused("report", "unheard-of", "--uri", server, "-o", tmp_path / "r.html", words=("unheard-of", "begun"))


# --- data files and options -----------------------------------------------------------------------------

FIT = ("fit", "--level", "4", "--cutoff", "4.5", "--max-iterations", "1", "-o", "{out}.mtp")
WRONG_COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no such data": ((*FIT, "no.extxyz"), ("no.extxyz", "no such file")),
    "empty data": ((*FIT, "empty.extxyz"), ("empty.extxyz", "is empty")),
    "data cut off": ((*FIT, "cut.extxyz"), ("cut.extxyz", "cut off")),
    "cfg cut off": ((*FIT, "cut.cfg", "--species", "Cu"), ("cut.cfg", "frame 1", "cut off")),
    "cfg without species": ((*FIT, "cut.cfg"), ("cut.cfg", "give the species")),
    "NaN positions": ((*FIT, "nan.traj"), ("nan.traj", "frame 2 of 3", "position")),
    "flat cell": ((*FIT, "flat.extxyz"), ("frame 2 of 3", "flat cell")),
    "lengths × 100": ((*FIT, "cm.extxyz"), ("frame 2 of 3", "lengths are in Å")),
    "lengths / 100": ((*FIT, "nm.extxyz"), ("frame 2 of 3", "lengths in nm")),
    "forces × 10⁵": ((*FIT, "bigforce.extxyz"), ("frame 2 of 3", "forces up to 1e+04")),
    "energy × 100": ((*FIT, "bigenergy.extxyz"), ("frame 2 of 3", "-350 eV per atom")),
    "stress in GPa": ((*FIT, "gpa.extxyz"), ("frame 2 of 3", "stress up to 160")),
    "duplicate ids": ((*FIT, "sameid.extxyz"), ("frames 1 and 2", "same id '0'")),
    "no energy": ((*FIT, "noenergy.extxyz"), ("frame 2 of 3", "no energy")),
    "test set of gold": ((*FIT, "good.extxyz", "--test", "gold.extxyz"), ("Au", "the species are Cu")),
    "negative cutoff": (("fit", "good.extxyz", "-o", "{out}.mtp", "--cutoff", "-4.5"), ("cutoff", "-4.5")),
    "odd level": (("fit", "good.extxyz", "-o", "{out}.mtp", "--level", "7"), ("level", "7")),
    "no element": ((*FIT, "good.extxyz", "--species", "Cu,Qx"), ("--species", "Qx")),
    "no folder": (("fit", "good.extxyz", "-o", "no/pot.mtp"), ("no/pot.mtp", "does not exist")),
    "potential of another name": (("fit", "good.extxyz", "-o", "{out}"), ("is written to a .mtp file",)),
    "no such potential": (("evaluate", "no.mtp", "good.extxyz"), ("no.mtp",)),
    "potential cut off": (("evaluate", "cut.mtp", "good.extxyz"), ("cut.mtp",)),
    "empty potential": (("evaluate", "empty.mtp", "good.extxyz"), ("empty.mtp",)),
    "binary potential": (("evaluate", "binary.mtp", "good.extxyz"), ("binary.mtp", "not a text file")),
    "potential of silver": (("evaluate", "silver.mtp", "good.extxyz"), ("Cu", "the species are Ag")),
    "too many species": (("evaluate", "good.mtp", "good.extxyz", "--species", "Cu,Pd"), ("good.mtp", "Pd")),
    "select from gold": (
        ("select", "good.mtp", "gold.extxyz", "--train", "good.extxyz", "-o", "{out}"),
        ("Au", "Cu"),
    ),
    "select from nothing": (
        ("select", "good.mtp", "empty.extxyz", "--train", "good.extxyz", "-o", "{out}"),
        ("empty.extxyz", "is empty"),
    ),
    "unknown format": (("convert", "good.extxyz", "out.unheardof"), ("out.unheardof", "cannot be written")),
    "cfg of two elements": (
        ("convert", "gold.extxyz", "out.cfg"), ("out.cfg", "give the species", "Au, Cu"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_COMMANDS)
def test_wrong_data_are_refused_and_nothing_is_written(
    case: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, words = WRONG_COMMANDS[case]
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    refused(*(argument.format(out="new") for argument in arguments), words=words)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "wrong.yaml"), ("wrong.yaml", "`potential.cutoff_A`", "-5")),
        (("evaluate", "cut.mtp", "good.extxyz"), ("cut.mtp",)),
        (("fit", "nan.traj"), ("nan.traj", "frame 2 of 3")),
    ],
)
def test_the_command_itself_says_one_sentence(
    arguments: tuple[str, ...], words: tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    for name in ("cut.mtp", "good.extxyz", "nan.traj"):
        shutil.copy(folder / name, tmp_path)
    (tmp_path / "wrong.yaml").write_text(WRONG_CAMPAIGNS["negative cutoff"][0])
    command = [sys.executable, "-c", "from alflow.cli import main; main()", *arguments]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert_refused(result.returncode, result.stderr, *words)
    assert result.stdout == ""
    assert not (tmp_path / "runs").exists()
