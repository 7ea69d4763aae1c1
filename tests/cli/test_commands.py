"""What all commands have in common."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from alflow import __version__
from alflow.cli import COMMANDS, app

HEAVY = ("ase", "fireworks", "matplotlib", "numpy", "pydantic_core", "pymongo", "scipy", "workflows")


def commands(group: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its words, such as ("labels", "list")."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*names, name))
        else:
            yield (*names, name), command


ALL = dict(commands(typer.main.get_command(app)))


def test_every_noun_of_the_table_is_a_command() -> None:
    assert {words[0] for words in ALL} == {name for names in COMMANDS.values() for name in names}


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_help_and_json(words: tuple[str, ...]) -> None:
    options = [name for parameter in ALL[words].params for name in parameter.opts]
    assert "--json" in options
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    assert all(getattr(parameter, "help", None) for parameter in ALL[words].params)


def test_help_does_not_import_what_takes_long() -> None:
    code = f"import sys, alflow.cli; print([name for name in {HEAVY} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"{__version__}\n"


def test_no_words_show_the_help() -> None:
    assert "Usage" in CliRunner().invoke(app, []).output
