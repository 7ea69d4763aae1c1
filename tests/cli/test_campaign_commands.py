from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.build import bulk
from pymongo.database import Database
from typer.testing import CliRunner, Result

from alflow.campaign.file import parse_campaign
from alflow.cli import app
from alflow.states import LabelKind
from alflow.store import Store
from alflow.structures.files import read_structures
from workflows.launchpad import open_launchpad, write_launchpad_file
from workflows.submission import submit

ROOT = Path(__file__).resolve().parents[2]
HELP = ("run", "submit", "worker", "status", "watch", "report", "hull")
CAMPAIGN = """
name: cu
species: [Cu]
structures: [{name: fcc, build: {element: Cu, crystal: fcc, a_A: 3.61, cubic: true}}]
potential: {level: 4, cutoff_A: 4.0}
explorers: [{name: md, structure: fcc, temperature_K: 300, steps: 10}]
qm: {interface: mock}
"""


@pytest.fixture
def command(
    database: Database[dict[str, Any]], database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """`alflow` on a database with one campaign, which has four labels: done, failed, rejected and waiting."""
    monkeypatch.chdir(tmp_path)
    launchpad = open_launchpad(database_uri, database.name)
    write_launchpad_file(launchpad, tmp_path / "pad.yaml")
    (tmp_path / "cu.yaml").write_text(CAMPAIGN)
    store = Store(database)
    submit(store, launchpad, parse_campaign(yaml.safe_load(CAMPAIGN)))
    _fill(store)
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--launchpad", "pad.yaml"])


def _fill(store: Store) -> None:
    for number in range(1, 5):
        configuration = store.configurations.add(bulk("Cu", a=3.5 + number / 10), {"kind": "initial"})
        asked = {"campaign": "cu", "round_": 0, "number": number, "kind": LabelKind.INITIAL}
        label = store.labels.request(configuration, {"code": "x"}, **asked)
        if number == 4:
            continue
        claimed = store.labels.claim(label)
        assert claimed is not None
        token = claimed["lease"]["token"]
        if number == 2:
            store.labels.fail(label, token, "the node has gone")
        else:
            why = ["forces absurd"] if number == 3 else []
            code = {"code": "x", "code_version": "x 7.1"}
            result = {"energy_eV": -1.0, "forces_eV_A": np.zeros((1, 3)), "stress_eV_A3": None}
            store.labels.finish(label, token, rejections=why, wall_time_s=2.5, **result, **code)


def test_status(command: Callable[..., Result]) -> None:
    facts = json.loads(command("status", "cu", "--json").stdout)
    assert facts["labels"] == {"waiting": 1, "running": 0, "done": 1, "failed": 1, "rejected": 1}
    assert (facts["state"], facts["waits_for"]) == ("running", "selection")
    assert (facts["kind"], facts["cpu_hours"]) == ("active-learning", 0)
    assert [run["name"] for run in facts["explorers"]] == ["md"]
    text = command("status").stdout
    assert "cu · running · round 0 · 0 CPU h" in text
    assert "0 of 0.01 ps" in text
    assert "1 waiting, 1 done, 1 failed, 1 rejected" in text


def test_labels_are_listed_with_their_reasons(command: Callable[..., Result]) -> None:
    labels = json.loads(command("labels", "list", "cu", "--json").stdout)
    assert [(label["label"], label["state"], label["reason"]) for label in labels] == [
        ("0.1", "done", None),
        ("0.2", "failed", "the node has gone"),
        ("0.3", "rejected", "forces absurd"),
        ("0.4", "waiting", None),
    ]
    assert "the node has gone" in command("labels", "list", "cu", "--state", "failed").stdout


def test_one_label_is_shown_whole(command: Callable[..., Result]) -> None:
    facts = json.loads(command("labels", "show", "cu", "0.1", "--json").stdout)
    assert (facts["label"], facts["kind"], facts["wall_time_s"]) == ("0.1", "initial", 2.5)
    assert facts["level_of_theory"] == {"code": "x"}
    assert facts["source"] == {"kind": "initial"}
    assert facts["energy_eV"] == -1.0


def test_export(command: Callable[..., Result], tmp_path: Path) -> None:
    done = json.loads(command("labels", "export", "cu", "-o", "labels.extxyz", "--json").stdout)
    assert done == {"file": "labels.extxyz", "labels": ["0.1"]}
    (atoms,) = read_structures(tmp_path / "labels.extxyz", labelled=True)
    assert atoms.get_potential_energy() == -1.0
    assert (atoms.info["state"], atoms.info["code"], atoms.info["code_version"]) == ("done", "x", "x 7.1")
    assert len(atoms.info["level_of_theory"]) == 64
    both = json.loads(command("labels", "export", "cu", "-o", "labels.cfg", "--rejected", "--json").stdout)
    assert both["labels"] == ["0.1", "0.3"]
    assert len(read_structures(tmp_path / "labels.cfg", labelled=True, species=["Cu"])) == 2


def test_retry_with_a_longer_limit(command: Callable[..., Result]) -> None:
    command("labels", "retry", "cu", "--failed", "--timeout-s", "7200")
    facts = json.loads(command("labels", "show", "cu", "0.2", "--json").stdout)
    assert (facts["state"], facts["timeout_s"], facts["host"]) == ("waiting", 7200, socket.gethostname())


def test_retry_and_drop(command: Callable[..., Result]) -> None:
    assert json.loads(command("labels", "retry", "cu", "--failed", "--json").stdout) == ["0.2"]
    assert json.loads(command("labels", "retry", "cu", "0.3", "--json").stdout) == ["0.3"]
    assert json.loads(command("labels", "drop", "cu", "0.1", "--json").stdout) == ["0.1"]
    counts = json.loads(command("status", "cu", "--json").stdout)["labels"]
    assert counts == {"waiting": 3, "running": 0, "done": 0, "failed": 0, "rejected": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("status", "nu"), "campaign 'nu' is not in this database; it has: cu"),
        (("labels", "show", "cu", "9.9"), "campaign 'cu' has no label '9.9'"),
        (("labels", "list", "cu", "--state", "lost"), "--state is 'lost', but must be one of"),
        (("labels", "retry", "cu"), "no label is named: give some (round.number), or --failed"),
        (("labels", "export", "cu", "-o", "labels.txt"), "labels.txt"),
        (("submit", "nowhere.yaml"), "nowhere.yaml: there is no such file"),
    ],
)
def test_mistakes_are_one_sentence(
    command: Callable[..., Result], arguments: tuple[str, ...], words: str
) -> None:
    result = command(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_submit_is_idempotent(command: Callable[..., Result]) -> None:
    first = json.loads(command("submit", "cu.yaml", "--json").stdout)
    assert json.loads(command("submit", "cu.yaml", "--json").stdout) == first
    assert first["state"] == "running"


def test_the_report(command: Callable[..., Result], tmp_path: Path) -> None:
    result = command("report", "cu", "-o", "r.html")
    assert result.exception is None, result.exception
    assert result.stderr == "r.html: cu, running, round 0, 3 QM calls\n"
    assert "the node has gone" in (tmp_path / "r.html").read_text()
    summary = json.loads(command("report", "cu", "-o", "r.html", "--json").stdout)
    assert summary["labels"] == {"waiting": 1, "done": 1, "failed": 1, "rejected": 1}


def test_what_an_import_set_aside_is_told(
    command: Callable[..., Result], database: Database[dict[str, Any]], tmp_path: Path
) -> None:
    note = "old.xml: 2 of 9 frames were set aside: the electronic steps did not converge"
    facts = {"candidates": 7, "labels": [], "grades": [], "notes": [note], "set_aside": {"not converged": 2}}
    Store(database).events.add("cu", "selected-0", "selected", 0, **facts)
    text = " ".join(command("status", "cu").stdout.split())
    assert f"imported: {note}" in text
    assert json.loads(command("status", "cu", "--json").stdout)["import_notes"] == [note]
    command("report", "cu", "-o", "r.html")
    assert f"Imported: {note}." in (tmp_path / "r.html").read_text()


def test_files_that_the_help_names_exist() -> None:
    pages = [CliRunner().invoke(app, [*words, "--help"]).stdout for words in ([], *([name] for name in HELP))]
    named = set(re.findall(r"examples/\w+\.yaml", "".join(pages)))
    assert named
    assert all((ROOT / file).is_file() for file in named)


@pytest.mark.parametrize("name", ["status", "watch", "labels list", "worker", "dashboard"])
def test_without_a_database_the_way_to_one_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALFLOW_MONGO_URI", raising=False)
    monkeypatch.setattr("fireworks.fw_config.LAUNCHPAD_LOC", None)
    arguments = name.split() + (["cu"] if name == "labels list" else [])
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "no database is named: give" in result.stderr
