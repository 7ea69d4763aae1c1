from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from alflow.errors import InputError
from alflow.store.embedded import EmbeddedDatabase

pytest.importorskip("secantus", reason="the embedded database is an extra: pip install 'alflow[embedded]'")


def insert(uri: str, value: int) -> None:
    with MongoClient[Any](uri) as client:
        client.test.numbers.insert_one({"value": value})


def values(uri: str) -> list[int]:
    with MongoClient[Any](uri) as client:
        return sorted(document["value"] for document in client.test.numbers.find())


def kill_server(directory: Path) -> None:
    os.kill(json.loads((directory / "server.json").read_text())["pid"], signal.SIGKILL)


def test_keeps_data_and_port_over_a_restart(tmp_path: Path) -> None:
    with EmbeddedDatabase(tmp_path) as first:
        insert(first, 1)
    assert not EmbeddedDatabase(tmp_path).is_running()
    with EmbeddedDatabase(tmp_path) as second:
        assert (second, values(second)) == (first, [1])


def test_two_users_share_one_server_and_the_last_one_ends_it(tmp_path: Path) -> None:
    first, second = EmbeddedDatabase(tmp_path), EmbeddedDatabase(tmp_path)
    assert first.start() == second.start()
    first.stop()
    insert(second.uri, 1)
    second.stop()
    assert not first.is_running()


def test_acknowledged_writes_and_the_start_survive_kill_9(tmp_path: Path) -> None:
    database = EmbeddedDatabase(tmp_path)
    for value in range(20):
        insert(database.start(), value)
    kill_server(tmp_path)
    database.stop()
    with EmbeddedDatabase(tmp_path) as uri:
        assert values(uri) == list(range(20))


def test_a_killed_user_does_not_count(tmp_path: Path) -> None:
    code = "import os, sys, alflow.store.embedded as e; e.EmbeddedDatabase(sys.argv[1]).start(); os.abort()"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, capture_output=True)
    database = EmbeddedDatabase(tmp_path)
    assert database.is_running()
    database.start()
    database.stop()
    assert not database.is_running()


def test_a_kept_server_outlives_its_users_until_shutdown(tmp_path: Path) -> None:
    database = EmbeddedDatabase(tmp_path)
    database.start(keep=True)
    database.stop()
    assert database.is_running()
    database.shutdown()
    assert not database.is_running()


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(tmp_path: Path) -> None:
    with EmbeddedDatabase(tmp_path):
        pid = json.loads((tmp_path / "server.json").read_text())["pid"]
        assert os.getsid(pid) == pid


def test_a_remembered_port_that_is_taken_is_replaced(tmp_path: Path) -> None:
    with EmbeddedDatabase(tmp_path) as first:
        insert(first, 1)
    port = json.loads((tmp_path / "server.json").read_text())["port"]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with EmbeddedDatabase(tmp_path) as second:
            assert second != first
            assert values(second) == [1]


def test_a_broken_start_is_one_sentence_with_the_end_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(InputError, match=r"ended while starting; its log .*data") as caught:
        EmbeddedDatabase(tmp_path).start()
    assert "\n" not in str(caught.value)


def test_a_server_of_another_machine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(json.dumps({"host": "elsewhere", "port": 1, "pid": 1}))
    with pytest.raises(InputError, match="started on elsewhere"):
        EmbeddedDatabase(tmp_path).start()


def test_uri_before_the_first_start_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="alflow db start"):
        _ = EmbeddedDatabase(tmp_path).uri
