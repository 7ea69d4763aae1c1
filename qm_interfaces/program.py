"""Run programs that compute labels. The worker's environment sets command, scratch folder and threads."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import cast

from ase import Atoms

from qm_interfaces.interface import CodeFailed, CodeMissing
from qm_interfaces.runner import LABEL_SCRATCH

FULL_DISK = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "Erroneous write. Write")  # last: Gaussian


def command(variable: str, default: str, install: str = "") -> list[str]:
    """Return the words of the command in the environment variable `variable`, or else of `default`.

    Parameters
    ----------
    install
        A command that installs the default, for the error.

    Raises
    ------
    CodeMissing
        If the first word is not a program of this machine.
    """
    text = os.environ.get(variable, "").strip() or default
    words = shlex.split(text)
    if shutil.which(words[0]) is None:
        how = f" ({install})" if install and words[0] == default else ""
        raise CodeMissing(f"{words[0]!r} is not on PATH: install it{how}, or set {variable} (now {text!r})")
    return words


def scratch(directory: Path) -> Path:
    """Return the folder for large temporary files of the label in `directory`."""
    folder = Path(os.environ.get(LABEL_SCRATCH) or directory / "scratch")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def threads() -> int:
    """Return the number of threads that a program may use, as `runner` has set it for this process."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))


def read_output(directory: Path, *names: str) -> str:
    """Return the text of the files `names` in `directory`, one after the other. Missing files count as empty.

    Raises
    ------
    CodeFailed
        If they say that the disk is full.
    """
    files = [directory / name for name in names]
    text = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file())
    if any(message in text for message in FULL_DISK):
        raise CodeFailed(f"the disk is full: {directory} or {scratch(directory)}")
    return text


def read_structure(file: Path, file_format: str, wanted: Collection[str]) -> Atoms:
    """Read a structure and its results from the output of a program, with ASE.

    Raises
    ------
    CodeFailed
        If the file cannot be read, or lacks one of the results `wanted`.
    """
    from ase.io import read

    try:
        atoms = cast(Atoms, read(file, format=file_format, index=-1))
        lacking = [key for key in wanted if atoms.calc.results.get(key) is None]
    except (ValueError, LookupError, AttributeError, AssertionError, StopIteration) as error:
        raise CodeFailed(f"{file.name} cannot be read: {error!r}") from error
    if lacking:
        raise CodeFailed(f"{file.name} has no {', '.join(lacking)}")
    return atoms


def last_line(text: str) -> str:
    """Quote the last line that a program wrote, shortened, for the reason of an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip(" -=\t")]
    return f"its last words: {lines[-1][:200]!r}" if lines else "it wrote nothing"


def start(
    words: Sequence[str],
    directory: Path,
    *,
    output: str,
    errors: str,
    stdin: str = os.devnull,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in `directory`; `output`, `errors` and `stdin` are files there.

    The program stays in the session of the label process, and therefore ends with it.
    """
    with (
        (directory / stdin).open("rb") as input_file,
        (directory / output).open("wb") as output_file,
        (directory / errors).open("wb") as error_file,
    ):
        return subprocess.Popen(
            words,
            cwd=directory,
            env=os.environ | (environment or {}),
            stdin=input_file,
            stdout=output_file,
            stderr=error_file,
        )
