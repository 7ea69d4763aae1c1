"""Run one label or relaxation in its own session. Nothing that a code does can harm or outlive the caller."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ase import Atoms

from qm_interfaces.exchange import atoms_to_dict, result_from_dict, write_json
from qm_interfaces.interface import CodeFailed, OutOfMemory, QMError, QMResult, SettingsError, TimedOut
from qm_interfaces.relaxation import RelaxationSettings
from qm_interfaces.session import kill_session, resident_memory_GB

LABEL_SCRATCH = "ALFLOW_LABEL_SCRATCH"
MEMORY_LOOK_S = 0.5
SMALLEST_SPACE = 100_000  # bytes; with less, a label process cannot even say why it ended
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def run_label(
    interface_name: str,
    options: Mapping[str, Any],
    atoms: Atoms,
    directory: str | Path,
    *,
    timeout_s: float,
    attempt: int = 1,
    threads: int | None = None,
    memory_limit_GB: float | None = None,
) -> QMResult:
    """Label `atoms` in a child process and return its result.

    The child leads a session of its own. When it ends, at the time limit, and when this process dies, the
    whole session is killed. Input, outcome and printed text stay in `directory` (task.json, outcome.json,
    stdout.txt, stderr.txt); files of an earlier attempt are overwritten.

    Parameters
    ----------
    timeout_s
        Limit of the wall time, the start of the process included.
    attempt
        Counts from 1, and is passed to the interface.
    threads
        Number of threads of numerical libraries in the child; None means ALFLOW_THREADS of the environment,
        or else 1. Programs have a scratch folder in ALFLOW_SCRATCH, or else in `directory`, which is
        removed at the end.
    memory_limit_GB
        Limit of the resident memory (10⁹ bytes) of all processes of the session together, checked twice per
        second.

    Returns
    -------
    QMResult
        `wall_time_s` is the time from the start of the process to its end.

    Raises
    ------
    TimedOut
        If the child reaches the time limit.
    CodeFailed
        If the child dies, needs too much memory, or leaves no result.
    QMError
        If the interface raises it.
    """
    task = _task(interface_name, options, atoms, attempt)
    return _run(task, Path(directory).absolute(), timeout_s, threads, memory_limit_GB)


def run_relaxation(
    interface_name: str,
    options: Mapping[str, Any],
    atoms: Atoms,
    directory: str | Path,
    *,
    fmax_eV_A: float,
    smax_eV_A3: float,
    steps: int,
    pressure_GPa: float = 0.0,
    timeout_s: float,
    attempt: int = 1,
    threads: int | None = None,
    memory_limit_GB: float | None = None,
) -> QMResult:
    """Relax `atoms` and, if they are periodic in all directions, their cell, in a child process.

    The process, and parameters that are not listed here, are as for `run_label`.

    Parameters
    ----------
    fmax_eV_A, smax_eV_A3
        Largest force on an atom, and largest component of stress + pressure, of a relaxed structure.
    steps
        Largest number of steps.
    timeout_s
        Limit of the wall time of the whole relaxation.

    Returns
    -------
    QMResult
        Energy, forces and stress of `relaxed`, which has the species and order of `atoms`.
        `details["evaluations"]` is the number of evaluations of energy and forces.

    Raises
    ------
    NotConverged
        If `steps` run out.
    SettingsError
        If one of the settings is wrong.
    QMError
        As `run_label`.
    """
    settings = RelaxationSettings(fmax_eV_A, smax_eV_A3, steps, pressure_GPa)
    task = _task(interface_name, options, atoms, attempt) | {"relaxation": asdict(settings)}
    return _run(task, Path(directory).absolute(), timeout_s, threads, memory_limit_GB)


def _task(interface_name: str, options: Mapping[str, Any], atoms: Atoms, attempt: int) -> dict[str, Any]:
    return {
        "interface": interface_name,
        "options": dict(options),
        "structure": atoms_to_dict(atoms),
        "attempt": attempt,
    }


def _run(
    task: dict[str, Any],
    directory: Path,
    timeout_s: float,
    threads: int | None,
    memory_limit_GB: float | None,
) -> QMResult:
    start = time.monotonic()
    try:
        _prepare(directory, task)
        scratch = os.environ.get("ALFLOW_SCRATCH") or directory
        with TemporaryDirectory(prefix="scratch-", dir=scratch, ignore_cleanup_errors=True) as folder:
            return_code = _run_child(directory, folder, timeout_s, threads, memory_limit_GB)
    except OSError as error:
        raise CodeFailed(f"the label cannot run in {directory}: {error}") from error
    wall_time_s = time.monotonic() - start
    if return_code != 0:
        full = "; its disk is full" if shutil.disk_usage(directory).free < SMALLEST_SPACE else ""
        raise CodeFailed(
            f"the label process {_describe_end(return_code)}{_last_line(directory / 'stderr.txt')}{full}"
        )
    atom_count = len(task["structure"]["numbers"])
    return replace(_read_outcome(directory / "outcome.json", atom_count), wall_time_s=wall_time_s)


def _prepare(directory: Path, task: dict[str, Any]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "outcome.json").unlink(missing_ok=True)
    try:
        write_json(directory / "task.json", task)
    except TypeError as error:
        raise SettingsError(
            f"the options of QM interface {task['interface']!r} must be plain values: {error}"
        ) from error


def _run_child(
    directory: Path, scratch: str, timeout_s: float, threads: int | None, memory_limit_GB: float | None
) -> int:
    """Run the child and return its return code, which is negative for a signal."""
    count = os.environ.get("ALFLOW_THREADS", "1") if threads is None else str(threads)
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, count) | {LABEL_SCRATCH: scratch}
    # The child must find everything that the parent can import, installed or not.
    environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    lifeline_read, lifeline_write = os.pipe()
    try:
        with (directory / "stdout.txt").open("wb") as stdout, (directory / "stderr.txt").open("wb") as stderr:
            child = subprocess.Popen(
                [sys.executable, "-m", "qm_interfaces.child", str(directory), str(lifeline_read)],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(lifeline_read,),
                start_new_session=True,
            )
        try:
            return _wait(child, timeout_s, memory_limit_GB)
        finally:
            kill_session(child.pid)
            child.wait()
    finally:
        os.close(lifeline_read)
        os.close(lifeline_write)


def _wait(child: subprocess.Popen[bytes], timeout_s: float, memory_limit_GB: float | None) -> int:
    end = time.monotonic() + timeout_s
    while (left_s := end - time.monotonic()) > 0:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(left_s if memory_limit_GB is None else min(left_s, MEMORY_LOOK_S))
        if memory_limit_GB is not None and resident_memory_GB(child.pid) > memory_limit_GB:
            raise OutOfMemory(f"needed more than {memory_limit_GB:g} GB of memory")
    raise TimedOut(f"killed at the time limit of {timeout_s:g} s")


def _describe_end(return_code: int) -> str:
    if return_code > 0:
        return f"ended with exit code {return_code}"
    name = signal.Signals(-return_code).name
    return f"was killed by {name}{' (out of memory?)' if name == 'SIGKILL' else ''}"


def _last_line(file: Path) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f": {lines[-1][:300]}" if lines else ""


def _read_outcome(file: Path, atom_count: int) -> QMResult:
    try:
        outcome = json.loads(file.read_bytes())
        if "error" in outcome:
            error: QMError | None = QMError.from_dict(outcome["error"])
        else:
            error = None
            result = result_from_dict(outcome["result"])
            if len(result.forces_eV_A) != atom_count:
                raise ValueError(f"forces on {len(result.forces_eV_A)} atoms instead of {atom_count}")
    except FileNotFoundError as missing:
        raise CodeFailed("the label process ended without a result") from missing
    except (ValueError, KeyError, TypeError, AttributeError) as garbage:
        raise CodeFailed(f"the label process wrote an unreadable result: {garbage}") from garbage
    if error is not None:
        raise error
    return result
