from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from alflow.errors import InputError
from alflow.store.embedded import EmbeddedDatabase

pytest.importorskip("secantus", reason="the embedded database is an extra: pip install 'alflow[embedded]'")


def insert(uri: str, value: int) -> None:
    with MongoClient[Any](uri) as client:
        client.test.numbers.insert_one({"value": value})


def values(uri: str) -> list[int]:
    with MongoClient[Any](uri) as client:
        return sorted(document["value"] for document in client.test.numbers.find())


def server_process(directory: Path) -> int:
    return int(json.loads((directory / "server.json").read_text())["pid"])


@pytest.fixture(scope="module")
def once_used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a server has run and kept the number 0; made once, as a first start takes longest."""
    directory = tmp_path_factory.mktemp("once_used")
    with EmbeddedDatabase(directory) as uri:
        insert(uri, 0)
    return directory


@pytest.fixture
def directory(once_used: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of that folder; whatever a test leaves running there is ended."""
    copy = shutil.copytree(once_used, tmp_path / "database")
    yield copy
    EmbeddedDatabase(copy).shutdown()


def test_keeps_data_and_port_over_a_restart(once_used: Path, directory: Path) -> None:
    with EmbeddedDatabase(directory) as uri:
        assert uri == EmbeddedDatabase(once_used).uri
        assert values(uri) == [0]
    assert not EmbeddedDatabase(directory).is_running()


def test_two_users_share_one_server_and_the_last_one_ends_it(directory: Path) -> None:
    first, second = EmbeddedDatabase(directory), EmbeddedDatabase(directory)
    assert first.start() == second.start()
    first.stop()
    insert(second.uri, 1)
    second.stop()
    assert not first.is_running()


def test_two_first_starts_at_once_give_one_server(tmp_path: Path) -> None:
    code = "import sys, alflow.store.embedded as e; print(e.EmbeddedDatabase(sys.argv[1]).start())"
    command = [sys.executable, "-c", code, str(tmp_path)]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (start.communicate()[0] for start in starts)
    assert first == second == EmbeddedDatabase(tmp_path).uri + "\n"
    EmbeddedDatabase(tmp_path).shutdown()


def test_acknowledged_writes_and_the_start_survive_kill_9(directory: Path) -> None:
    database = EmbeddedDatabase(directory)
    uri = database.start()
    for value in range(1, 20):
        insert(uri, value)
    os.kill(server_process(directory), signal.SIGKILL)
    assert values(database.start()) == list(range(20))
    database.stop()


def test_a_killed_user_does_not_count(directory: Path) -> None:
    code = "import os, sys, alflow.store.embedded as e; e.EmbeddedDatabase(sys.argv[1]).start(); os.abort()"
    subprocess.run([sys.executable, "-c", code, str(directory)], check=False, capture_output=True)
    database = EmbeddedDatabase(directory)
    assert database.is_running()
    database.start()
    database.stop()
    assert not database.is_running()


def test_a_kept_server_outlives_its_users_until_shutdown(directory: Path) -> None:
    database = EmbeddedDatabase(directory)
    database.start(keep=True)
    database.stop()
    assert database.is_running()
    database.shutdown()
    assert not database.is_running()


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(directory: Path) -> None:
    with EmbeddedDatabase(directory):
        assert os.getsid(server_process(directory)) == server_process(directory)


def test_nobody_gets_in_without_the_password(directory: Path) -> None:
    with EmbeddedDatabase(directory) as uri:
        open_door = "mongodb://" + uri.partition("@")[2]
        with pytest.raises(OperationFailure, match="auth"):
            insert(open_door, 1)
    assert (directory / "server.json").stat().st_mode & 0o077 == 0


def test_a_first_start_cut_off_before_its_password_was_kept_is_repeated(directory: Path) -> None:
    state = json.loads((directory / "server.json").read_text())
    del state["password"]
    (directory / "server.json").write_text(json.dumps(state))
    with EmbeddedDatabase(directory) as uri:
        assert values(uri) == [0]


def test_a_remembered_port_that_is_taken_is_replaced(once_used: Path, directory: Path) -> None:
    port = json.loads((directory / "server.json").read_text())["port"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with EmbeddedDatabase(directory) as uri:
            assert uri != EmbeddedDatabase(once_used).uri
            assert values(uri) == [0]


def test_a_broken_start_is_one_sentence_with_the_end_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(InputError, match=r"ended while starting; its log .*data") as caught:
        EmbeddedDatabase(tmp_path).start()
    assert "\n" not in str(caught.value)


def test_a_server_of_another_machine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(json.dumps({"host": "elsewhere", "port": 1, "pid": 1}))
    with pytest.raises(InputError, match="started on elsewhere"):
        EmbeddedDatabase(tmp_path).start()


def test_a_folder_that_was_stopped_can_move_to_another_machine(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    with EmbeddedDatabase(directory) as uri:
        assert values(uri) == [0]


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "database").touch()
    with pytest.raises(InputError, match=r"database cannot hold a database"):
        EmbeddedDatabase(tmp_path / "database").start()


def test_uri_before_the_first_start_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="alflow db start"):
        _ = EmbeddedDatabase(tmp_path).uri
