from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymongo.database import Database
from stored_screening import NAME, fill
from typer.testing import CliRunner, Result

from alflow.campaign.file import parse_campaign
from alflow.cli import app
from alflow.cli.hull import _print as print_hull
from alflow.store import Store
from workflows.hull_screening.reading import read_hull
from workflows.launchpad import open_launchpad, write_launchpad_file

pytest.importorskip("spglib", reason="needs spglib: pip install 'alflow[hull]'")

ACTIVE_LEARNING = """
name: cu
species: [Cu]
structures: [{name: fcc, build: {element: Cu, crystal: fcc, a_A: 3.61}}]
potential: {level: 4, cutoff_A: 4.0}
explorers: [{name: md, structure: fcc, temperature_K: 300, steps: 10}]
qm: {interface: mock}
"""


@pytest.fixture
def store(database: Database[dict[str, Any]]) -> Store:
    return Store(database)


@pytest.fixture
def command(
    database: Database[dict[str, Any]], database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """`alflow` on the store's database."""
    monkeypatch.chdir(tmp_path)
    write_launchpad_file(open_launchpad(database_uri, database.name), tmp_path / "pad.yaml")
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--launchpad", "pad.yaml"])


def test_the_hull_as_a_table(store: Store, command: Callable[..., Result]) -> None:
    fill(store)
    result = command("hull", NAME)
    assert result.exit_code == 0
    assert result.stderr == ""
    for words in ("Hull of QM", "Cu3Pd", "P4/mmm (123)", "not relaxed by QM", "final relaxation"):
        assert words in result.stdout


def test_long_names_fit_80_columns(
    store: Store,
    command: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    fill(store)
    lines = command("status").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    data = read_hull(store, NAME, None)
    long = "prototype_AB3_tP4_123_with_a_very_long_name_indeed"
    compounds = [replace(compound, name=f"{long}_{n}") for n, compound in enumerate(data.compounds)]
    print_hull(replace(data, compounds=compounds))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    header = next(line for line in lines if "compound" in line and "candidate" in line)
    begin, end = header.index("candidate"), header.index("space")
    column = "".join(line[begin:end].strip() for line in lines[lines.index(header) :])
    assert all(f"{long}_{n}" in column for n in range(len(compounds)))
    for compound in data.compounds:
        assert any(f"{1000 * compound.formation_energy_eV:.4g}" in line.split() for line in lines)


def test_the_hull_as_json_and_files(store: Store, command: Callable[..., Result]) -> None:
    fill(store)
    summary = json.loads(command("hull", NAME, "-o", "hull", "--window", "0.005", "--json").stdout)
    assert [(c["formula"], c["same_crystal"]) for c in summary["compounds"]] == [
        ("CuPd", ["fcc 4"]),
        ("Cu3Pd", []),
        ("Cu", []),
        ("Pd", []),
    ]
    assert all(Path(file).is_file() for file in summary["files"])
    assert Path("hull/structures/001-CuPd-fcc-3.cif").is_file()


def test_what_is_known_so_far_is_said_to_be_so(store: Store, command: Callable[..., Result]) -> None:
    fill(store, finished=False)
    result = command("hull", NAME)
    assert "the hull is of the potential of stage 1 so far" in result.stderr
    assert "Hull of the potential of stage 1" in result.stdout


def test_mistakes_are_one_sentence(store: Store, command: Callable[..., Result], tmp_path: Path) -> None:
    store.campaigns.create(parse_campaign(yaml.safe_load(ACTIVE_LEARNING)))
    (tmp_path / "file").touch()
    for arguments, words in (
        (("hull", "cu"), "campaign 'cu' is of kind active-learning, which has no hull"),
        (("hull", "nu"), "campaign 'nu' is not in this database"),
        (("hull", "cu", "-o", "file"), "--output is file, which is a file; give the name of a folder"),
    ):
        result = command(*arguments)
        assert result.exit_code == 2
        assert words in result.stderr
        assert result.stderr.count("\n") == 1


def test_the_report_of_a_screening(store: Store, command: Callable[..., Result], tmp_path: Path) -> None:
    fill(store)
    assert "4 crystals on the hull of QM" in command("report", NAME, "-o", "r.html").stderr
    assert "Results of the stages" in (tmp_path / "r.html").read_text()
    assert json.loads(command("report", NAME, "-o", "r.html", "--json").stdout)["hull_of"] == "QM"


def test_the_status_of_a_screening(store: Store, command: Callable[..., Result]) -> None:
    fill(store, finished=False)
    text = command("status").stdout
    head = "cu-pd · running · learning, stage 2 · round 3 · 0.0167 CPU h"
    for words in (head, "waits for 2 chunks of candidates", "QM", "processor, s"):
        assert words in text
