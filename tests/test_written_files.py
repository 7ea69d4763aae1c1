from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from alflow.errors import InputError
from alflow.files import write_completely, written_completely


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_completely(path, "γ")
    assert path.read_text(encoding="utf-8") == "γ"
    path.chmod(0o640)
    write_completely(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_old_file_stays_if_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), written_completely(path) as beside:
        beside.write_text("half of the n")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys; from alflow.files import written_completely\n"
        "with written_completely(sys.argv[1]) as beside:\n"
        "    beside.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "a.txt"
    (tmp_path / "link").symlink_to(target)
    write_completely(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_gets_the_content(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_completely(tmp_path / "pipe", "through")
    reader.join(timeout=10)
    assert got == ["through"]


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
@pytest.mark.parametrize("into_file", [True, False])
def test_standard_output_gets_the_content(tmp_path: Path, name: str, into_file: bool) -> None:
    code = "import sys; from alflow.files import write_completely; write_completely(sys.argv[1], 'out')"
    command = [sys.executable, "-c", code, name]
    if into_file:
        with (tmp_path / "out").open("wb") as file:
            subprocess.run(command, check=True, stdout=file)
        assert (tmp_path / "out").read_text() == "out"
    else:
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "out"


def test_a_place_where_nothing_can_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing/a.txt: cannot be written \(No such file or directory\)"):
        write_completely(tmp_path / "missing" / "a.txt", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder: cannot be written"):
        write_completely(tmp_path / "folder", "x")


def test_only_the_owner_reads_a_file_that_was_so(tmp_path: Path) -> None:
    path = tmp_path / "my_launchpad.yaml"
    path.touch(mode=0o600)
    write_completely(path, "password: x")
    assert path.stat().st_mode & 0o777 == 0o600
