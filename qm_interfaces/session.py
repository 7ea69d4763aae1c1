"""The end of a session: every process that a label has started, in whatever process group it is."""

from __future__ import annotations

import os
import signal
from contextlib import suppress


def kill_session(leader: int) -> None:
    """Kill all processes of the session that process `leader` began; the caller, if it is one, comes last.

    A signal to the process group would not do: mpirun gives each rank a group of its own.
    """
    killed = {os.getpid()}
    while new := _members(leader) - killed:  # again, for what they have started meanwhile
        for process in new:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        killed |= new
    if os.getsid(0) == leader:
        os.kill(os.getpid(), signal.SIGKILL)


def resident_memory_GB(leader: int) -> float:
    """Memory that all processes of the session occupy together; pages that they share count for each."""
    import psutil

    total = 0
    for process in _members(leader):
        with suppress(psutil.Error):
            total += psutil.Process(process).memory_info().rss
    return total / 1e9


def _members(leader: int) -> set[int]:
    import psutil  # keeps the start of a label process short

    members = set()
    for process in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(process) == leader:
                members.add(process)
    return members
