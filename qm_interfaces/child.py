"""The process of one label. `runner` starts it; it reads task.json, computes, and writes outcome.json."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from ase import Atoms

from qm_interfaces.exchange import atoms_from_dict, result_to_dict, write_json
from qm_interfaces.interface import CodeFailed, QMError, QMInterface, QMResult
from qm_interfaces.registry import get_interface
from qm_interfaces.relaxation import RelaxationSettings
from qm_interfaces.session import kill_session


def die_with_parent(lifeline: int) -> None:
    """Kill this session when the other end of the pipe `lifeline` closes, because the parent is gone then."""
    os.set_inheritable(lifeline, False)

    def watch() -> None:
        os.read(lifeline, 1)
        kill_session(os.getpid())

    threading.Thread(target=watch, daemon=True).start()


def main(directory: Path, lifeline: int) -> None:
    die_with_parent(lifeline)
    task = json.loads((directory / "task.json").read_text(encoding="utf-8"))
    try:
        interface = get_interface(task["interface"], **task["options"])
        atoms, attempt = atoms_from_dict(task["structure"]), task["attempt"]
        if "relaxation" in task:
            result = _relax(interface, atoms, directory, task["relaxation"], attempt)
        else:
            result = interface.compute(atoms, directory, attempt=attempt)
        outcome = {"result": result_to_dict(result)}
    except QMError as error:
        outcome = {"error": error.to_dict()}
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        outcome = {"error": CodeFailed(f"the disk is full: {error.filename or directory}").to_dict()}
    write_json(directory / "outcome.json", outcome)


def _relax(
    interface: QMInterface, atoms: Atoms, directory: Path, settings: dict[str, Any], attempt: int
) -> QMResult:
    from qm_interfaces.relaxation_driver import relax  # keeps the start of a static label short

    return relax(interface, atoms, directory, RelaxationSettings(**settings), attempt=attempt)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
