"""Kill, or weigh, all processes that a label has started, whatever their process groups."""

from __future__ import annotations

import os
import signal
from contextlib import suppress


def kill_session(leader: int) -> None:
    """Kill all processes of the session of process `leader`; the caller comes last if it is one of them.

    A signal to the process group is not enough, because mpirun gives each rank a group of its own.
    """
    killed = {os.getpid()}
    while new := _members(leader) - killed:  # again, because they may have started others meanwhile
        for process in new:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        killed |= new
    if os.getsid(0) == leader:
        os.kill(os.getpid(), signal.SIGKILL)


def resident_memory_GB(leader: int) -> float:
    """Return the memory of all processes of the session together; shared pages count for each of them."""
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
