from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alflow.cli import app, doctor


def findings(expected_code: int = 0) -> dict[str, dict[str, Any]]:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == expected_code, result.output
    return {finding["part"]: finding for finding in json.loads(result.stdout)["findings"]}


@pytest.fixture
def no_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    for test in ("_wrong_forces", "_failing_label", "_failing_database"):
        monkeypatch.setattr(doctor, test, lambda folder: None)


def test_this_machine_is_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALFLOW_MONGO_URI", raising=False)
    found = findings()
    assert found["kernel: forces are derivatives"]["state"] == "ok"
    assert found["a mock label in its own process"]["state"] == "ok"
    assert all(finding["mend"] for finding in found.values() if finding["state"] != "ok")


def test_a_failing_self_test_is_told_and_sets_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, no_self_test: None
) -> None:
    monkeypatch.setattr(doctor, "_wrong_forces", lambda folder: "forces are wrong by 1.0e+00 eV/Å")
    found = findings(expected_code=1)["kernel: forces are derivatives"]
    assert (found["state"], found["found"]) == ("failed", "forces are wrong by 1.0e+00 eV/Å")
    assert found["mend"]


def test_a_database_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, no_self_test: None
) -> None:
    monkeypatch.setattr(doctor, "PING_LIMIT_S", 0.1)
    monkeypatch.setenv("ALFLOW_MONGO_URI", "mongodb://me:secret@127.0.0.1:1/")
    found = findings(expected_code=1)["ALFLOW_MONGO_URI"]
    assert found["state"] == "failed"
    assert "127.0.0.1:1" in found["found"]
    assert "secret" not in json.dumps(found)


def test_codes_on_path_are_found(monkeypatch: pytest.MonkeyPatch, no_self_test: None, tmp_path: Path) -> None:
    program = tmp_path / "pw.x"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = findings()
    assert found["Quantum ESPRESSO"]["found"] == str(program)
    assert found["VASP"]["state"] == "absent"
    assert "ALFLOW_VASP_COMMAND" in found["VASP"]["mend"]


def test_a_command_of_the_worker_goes_before_path(
    monkeypatch: pytest.MonkeyPatch, no_self_test: None, tmp_path: Path
) -> None:
    program = tmp_path / "launcher"
    program.touch(mode=0o755)
    monkeypatch.setenv("ALFLOW_PW_COMMAND", f"{program} -n 4 pw.x")
    assert findings()["Quantum ESPRESSO"]["found"] == str(program)
    monkeypatch.setenv("ALFLOW_PW_COMMAND", "no-such-launcher pw.x")
    assert findings(expected_code=1)["Quantum ESPRESSO"]["state"] == "failed"
