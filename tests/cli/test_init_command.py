"""`alflow init` writes campaign files that run as they are."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write
from ase.units import Ry
from typer.testing import CliRunner, Result

from alflow.campaign.file import load_campaign
from alflow.cli import app
from workflows.active_learning.schema import ActiveLearning

UPF = "Pseudopotential type: {kind}\n    Suggested minimum cutoff for wavefunctions:  {wave}. Ry\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("cu.extxyz", bulk("Cu", cubic=True))
    write("POSCAR", bulk("Si", cubic=True), format="vasp")
    return tmp_path


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, [*words])


def test_a_file_for_emt_runs_to_its_end(folder: Path) -> None:
    (folder / "in").mkdir()
    assert invoke("init", "cu.extxyz", "--qm", "emt", "-o", "in/cu.yaml").exit_code == 0
    path = folder / "in" / "cu.yaml"
    config = load_campaign(path)
    assert isinstance(config, ActiveLearning)
    assert config.structures[0].file == str(folder / "in" / ".." / "cu.extxyz")
    assert config.structures[0].repeat == [2, 2, 2]
    text = path.read_text()
    assert "file: ../cu.extxyz" in text
    path.write_text(
        text.replace("duration_ps: 10", "duration_ps: 0.2")
        .replace("level: 12", "level: 4")
        .replace("repeat: [2, 2, 2]", "repeat: [2, 1, 1]")
        .replace("count: 6", "count: 3")
        .replace("labels: 10\n", "labels: 2\n")
    )
    outcome = invoke("run", str(path), "--workers", "1", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert json.loads(outcome.stdout)["state"] == "finished"


def test_pseudopotentials_share_a_functional_and_give_the_cutoffs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pseudo = folder / "pseudo"
    pseudo.mkdir()
    for name, kind, wave in (
        ("Si.pbe-n.UPF", "NC", 0),
        ("Si.pbesol-n.UPF", "USPP", 44),
        ("Si.rel-pbesol-n.UPF", "USPP", 90),
        ("O.pbesol-n.UPF", "PAW", 52),
    ):
        (pseudo / name).write_text(UPF.format(kind=kind, wave=wave))
    monkeypatch.setenv("ESPRESSO_PSEUDO", str(pseudo))
    quartz = bulk("Si", cubic=True)
    quartz.symbols[1] = "O"
    write("SiO.extxyz", quartz)
    assert invoke("init", "SiO.extxyz", "--qm", "espresso").exit_code == 0
    config = load_campaign("SiO.yaml")
    options = config.qm.options
    assert options["pseudopotentials"] == {
        "O": str(pseudo / "O.pbesol-n.UPF"),
        "Si": str(pseudo / "Si.pbesol-n.UPF"),
    }
    assert options["ecutwfc_Ry"] == 52
    assert options["ecutrho_Ry"] == 400
    assert config.explorers[0].timestep_fs == 1.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("file", "atoms"),
    [
        (bulk("Si", cubic=True), 8),
        (bulk("Si"), 16),
        (bulk("Cu"), 27),
        (bulk("NaCl", "rocksalt", a=5.6, cubic=True), 32),
    ],
)
def test_labels_of_the_first_cell_are_affordable(file: Atoms, atoms: int) -> None:
    write("crystal.extxyz", file)
    assert invoke("init", "crystal.extxyz", "--qm", "gpaw").exit_code == 0
    text = Path("crystal.yaml").read_text()
    assert f"# Starting structures: {atoms} atoms" in text
    assert "The cell may be smaller than twice the cutoff" in text
    repeat = load_campaign("crystal.yaml").structures[0].repeat  # type: ignore[attr-defined]
    assert len(file) * repeat[0] * repeat[1] * repeat[2] == atoms


@pytest.mark.parametrize("code", ["gpaw", "pyscf", "gaussian"])
@pytest.mark.parametrize("simulate", ["md", "relax"])
def test_every_code_gives_a_valid_file(code: str, simulate: str) -> None:
    write("water.xyz", molecule("H2O"))
    assert invoke("init", "water.xyz", "--qm", code, "--simulate", simulate).exit_code == 0
    config = load_campaign("water.yaml")
    assert config.species == ["H", "O"]
    assert config.structures[0].repeat == [1, 1, 1]  # type: ignore[attr-defined]


def test_mistakes_are_one_sentence_and_nothing_is_overwritten(folder: Path) -> None:
    assert invoke("init", "cu.extxyz", "--qm", "emt").exit_code == 0
    before = (folder / "cu.yaml").read_text()
    for words, said in (
        (("cu.extxyz", "--qm", "emt"), "cu.yaml: exists already"),
        (("cu.extxyz", "--qm", "wien"), "--qm is 'wien', but it must be one of espresso"),
        (("POSCAR", "--qm", "emt"), "EMT has no parameters for Si"),
        (("absent.cif", "--qm", "emt"), "absent.cif: there is no such file"),
        (("cu.extxyz", "--qm", "emt", "-o", "cu.txt"), "the name of a campaign file ends in .yaml"),
    ):
        outcome = invoke("init", *words)
        assert outcome.exit_code == 2
        assert said in outcome.stderr
        assert outcome.stderr.count("\n") == 1
    assert (folder / "cu.yaml").read_text() == before


@pytest.mark.real_qm
@pytest.mark.skipif(
    shutil.which("pw.x") is None or not Path("/usr/share/espresso/pseudo").is_dir(),
    reason="needs Quantum ESPRESSO and Debian's pseudopotentials",
)
def test_a_file_for_quantum_espresso_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESPRESSO_PSEUDO", raising=False)
    assert invoke("init", "POSCAR", "--qm", "espresso", "-o", "si.yaml").exit_code == 0
    path = Path("si.yaml")
    text = path.read_text()
    path.write_text(text.replace("spacing_per_A: 0.3", "spacing_per_A: 1.2"))
    outcome = invoke("check", "si.yaml", "--json")
    assert outcome.exit_code == 0, outcome.output
    energy_eV = json.loads(outcome.stdout)["trial"]["energy_eV"]
    pseudopotential = Path(load_campaign(path).qm.options["pseudopotentials"]["Si"]).read_text()
    atom = re.search(r'total_psenergy="(\S+)"', pseudopotential)
    assert atom is not None
    assert 3 < float(atom[1]) * Ry - energy_eV / 8 < 7  # the cohesive energy, unpolarised atom
