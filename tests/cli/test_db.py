from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from typer.testing import CliRunner, Result

from alflow.cli import app
from alflow.store.embedded import EmbeddedDatabase

pytest.importorskip("secantus", reason="the embedded database is an extra: pip install 'alflow[embedded]'")


def alflow(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "database"
    EmbeddedDatabase(tmp_path / "database").shutdown()


def test_start_show_uri_stop(directory: Path) -> None:
    address = json.loads(alflow("db", "start", directory, "--json").stdout)["uri"]
    with MongoClient[Any](address) as client:
        client.alflow.labels.insert_many([{}, {}])
    assert alflow("db", "uri", directory).stdout.strip() == address
    shown = alflow("db", "show", directory, "--json").stdout
    facts = json.loads(shown)
    assert facts["running"]
    assert facts["documents"]["alflow.labels"] == 2
    assert address.split("@")[0] not in shown
    assert json.loads(alflow("db", "stop", directory, "--json").stdout)["was_running"]
    assert not json.loads(alflow("db", "show", directory, "--json").stdout)["running"]


def test_a_campaign_file_means_the_database_of_its_runs(tmp_path: Path) -> None:
    facts = json.loads(alflow("db", "show", tmp_path / "li.yaml", "--json").stdout)
    assert facts["directory"] == str(tmp_path / "runs" / "li" / "database")


def test_the_address_of_what_was_never_started_is_refused_in_one_sentence(directory: Path) -> None:
    result = alflow("db", "uri", directory)
    assert result.exit_code == 2
    assert "alflow db start" in result.stderr
    assert result.stderr.count("\n") == 1


def test_stopping_what_does_not_run_says_so(directory: Path) -> None:
    result = alflow("db", "stop", directory)
    assert result.exit_code == 0
    assert "was not running" in result.stderr
