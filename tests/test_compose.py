"""The shipped MongoDB: on loopback only, behind a password that is not in git, with a health check."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def mongodb(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]["mongodb"]


def test_every_port_is_on_loopback(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service["ports"]]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_credentials_are_required_and_come_from_the_environment(mongodb: dict[str, Any]) -> None:
    for name, variable in (("USERNAME", "MONGO_USERNAME"), ("PASSWORD", "MONGO_PASSWORD")):
        assert mongodb["environment"][f"MONGO_INITDB_ROOT_{name}"].startswith(f"${{{variable}:?")


def test_the_example_names_every_variable_and_gives_no_password() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert settings.keys() == {"MONGO_USERNAME", "MONGO_PASSWORD", "MONGO_PORT"}
    assert settings["MONGO_PASSWORD"] == ""


def test_env_is_never_committed() -> None:
    listed = subprocess.run(["git", "check-ignore", ".env"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 128:
        pytest.skip("not a git checkout")
    assert listed.stdout.strip() == ".env"


def test_the_health_check_logs_in(mongodb: dict[str, Any]) -> None:
    kind, command = mongodb["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    assert "ping" in command
    assert "$$MONGO_INITDB_ROOT_PASSWORD" in command


def test_data_lie_in_a_named_volume(compose: dict[str, Any], mongodb: dict[str, Any]) -> None:
    (volume,) = mongodb["volumes"]
    name, target = volume.split(":")
    assert name in compose["volumes"]
    assert target == "/data/db"
