"""Files that are replaced only by something complete."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from alflow.errors import InputError

STDOUT = Path("-")


def write_completely(path: str | Path, content: bytes | str) -> None:
    """Write a file; see `written_completely`. Text is written as UTF-8.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with written_completely(path) as beside:
        with suppress(FileNotFoundError):  # what only its owner may read stays so from the first byte
            beside.touch(mode=stat.S_IMODE(Path(path).stat().st_mode))
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def written_completely(path: str | Path) -> Iterator[Path]:
    """A context that gives the path to write to, and puts the file in its place at the end.

    The new file is written beside the old one and renamed once it is on disk. Until then, and after an
    exception or Ctrl-C, the old file is as it was. Links are followed and permissions are kept. Where nothing
    can be renamed, the whole content is copied at the end instead: ``-`` (standard output), devices such as
    ``/dev/stdout``, pipes, and files in folders that do not allow new ones.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    path = Path(path)
    try:
        if path == STDOUT or _is_no_file(path) or not os.access(path.resolve().parent, os.W_OK):
            with tempfile.TemporaryDirectory() as folder:
                beside = Path(folder) / (path.name if path != STDOUT else "stdout")
                yield beside
                _copy_into(beside, path)
            return
        path = path.resolve()
        beside = path.with_name(f".{os.getpid()}.{path.name}")
        try:
            yield beside
            _replace(path, beside)
        finally:
            with suppress(OSError):
                beside.unlink()
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _is_no_file(path: Path) -> bool:
    # What /dev/stdout links to may be an ordinary file, but it is open already.
    return path.is_relative_to("/dev") or (path.exists() and not path.is_file())


def _replace(path: Path, beside: Path) -> None:
    with suppress(FileNotFoundError):
        beside.chmod(stat.S_IMODE(path.stat().st_mode))
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)
    with suppress(OSError):  # some file systems do not sync folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _copy_into(beside: Path, path: Path) -> None:
    if path == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(beside.read_bytes())
        sys.stdout.buffer.flush()
        return
    with beside.open("rb") as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
