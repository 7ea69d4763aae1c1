"""The embedded database: a private MongoDB wire-protocol server, in a folder, on loopback.

All code that depends on the server product is in this file; the rest of alflow sees a URI. The reasons for
SecantusDB, and the measurements, are in `docs/database.md`.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from alflow.errors import InputError
from alflow.files import write_completely

HOST = "127.0.0.1"
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 30.0
POLL_S = 0.02
USER = "alflow"

# `sync_on_commit`, because this server acknowledges a write with `j: true` before it is on disk.
SETTINGS = """\
[server]
host = "127.0.0.1"
port = {port}
storage_path = {data}
standalone = true
auth = {auth}

[storage]
cache_size = "64M"
log_file_max = "16MB"
sync_on_commit = true
"""


class EmbeddedDatabase:
    """A database server that lives in a folder; all processes that start it there share it.

    `start` joins the server of the folder if one runs; `stop` ends this object's use of it, and the last
    user ends the server. Each use is a shared file lock, so a user killed with `kill -9` counts as gone.
    The server holds another lock while it lives, so a dead server is never mistaken for a running one, even
    if another process now has its process id.

    The server listens on loopback and requires a password, which is random per folder and part of the URI: on
    a shared machine, anybody who could write to the LaunchPad could run any command as the owner.

    The folder holds `data/`, `server.log`, `server.toml` (settings), `server.json` (port, process, password;
    readable by the owner only) and lock files.

    Parameters
    ----------
    directory : str or Path
        The folder, on a local disk; `start` creates it if it does not exist.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory).absolute()
        self._use: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.directory / "server.log"

    @property
    def uri(self) -> str:
        """MongoDB URI of the folder's server, with its password.

        Raises
        ------
        InputError
            If no server has ever been started in the folder.
        """
        state = self._state()
        if "password" not in state:
            raise InputError(
                f"No database was ever started in {self.directory}: run `alflow db start` there."
            )
        return f"mongodb://{USER}:{state['password']}@{HOST}:{state['port']}/?authSource=admin"

    def is_running(self) -> bool:
        """Whether a server of this folder is alive."""
        return _is_held(self.directory / "server.lock", fcntl.LOCK_SH)

    def start(self, *, keep: bool = False) -> str:
        """Start the server, or join the running one; return its URI when it answers.

        Parameters
        ----------
        keep : bool
            Leave the server running when its last user goes; `shutdown` ends it.

        Raises
        ------
        InputError
            If the folder cannot be created, or the server is not installed, runs on another machine, or does
            not answer (the message ends with the end of its log).
        """
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.directory} cannot hold a database: {error.strerror}.") from None
        with self._changing_state():
            if not (self.is_running() and "password" in self._state() and self._becomes_ready(self.uri)):
                self._launch()
            if keep:
                self._save_state(keep=True)
            if self._use is None:
                self._use = _locked(self.directory / "users.lock", fcntl.LOCK_SH)
        return self.uri

    def stop(self) -> None:
        """End this use of the server; the server ends with its last user, unless started with `keep`."""
        if self._use is None:
            return
        with self._changing_state():
            fcntl.flock(self._use, fcntl.LOCK_UN)
            self._use.close()
            self._use = None
            if not self._state().get("keep") and not _is_held(self.directory / "users.lock", fcntl.LOCK_EX):
                self._terminate()

    def shutdown(self) -> None:
        """End the server, even if it is in use."""
        if self.is_running():
            with self._changing_state():
                self._terminate()

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @contextmanager
    def _changing_state(self) -> Iterator[None]:
        with _locked(self.directory / "start.lock", fcntl.LOCK_EX):
            host = self._state().get("host")
            if host not in (None, socket.gethostname()):
                raise InputError(
                    f"The database in {self.directory} was started on {host}: stop it there; if it is "
                    f"certain that it does not run, remove {self.directory / 'server.json'}."
                )
            yield

    def _state(self) -> dict[str, Any]:
        with suppress(FileNotFoundError):
            state: dict[str, Any] = json.loads((self.directory / "server.json").read_text())
            return state
        return {}

    def _save_state(self, **changes: Any) -> None:
        new = self.directory / "server.json.new"
        new.touch(mode=0o600)
        new.write_text(json.dumps(self._state() | changes))
        new.replace(self.directory / "server.json")

    def _launch(self, attempts: int = 3) -> None:
        """Start a server that requires a password; retry once if another program took the port meanwhile."""
        self._terminate()
        port = _free_port(self._state().get("port", 0))
        if "password" in self._state() or self._create_user(port):
            self._spawn(port, auth=True)
            if self._becomes_ready(self.uri):
                return
        if attempts == 1 or _free_port(port) == port:
            raise InputError(self._complaint("ended while starting"))
        self._launch(attempts - 1)

    def _create_user(self, port: int) -> bool:
        """Create the only user of the database; for this, the server runs without passwords for a moment."""
        self._spawn(port, auth=False)
        uri = f"mongodb://{HOST}:{port}"
        if not self._becomes_ready(uri):
            return False
        password = secrets.token_hex(16)
        with MongoClient[Any](uri) as client:
            client.admin.command("dropAllUsersFromDatabase")
            client.admin.command("createUser", USER, pwd=password, roles=["root"])
        self._terminate()
        self._save_state(password=password)
        return True

    def _spawn(self, port: int, *, auth: bool) -> None:
        self._save_state(host=socket.gethostname(), port=port, pid=None, keep=False)
        settings = self.directory / "server.toml"
        data = json.dumps(str(self.directory / "data"))
        write_completely(settings, SETTINGS.format(port=port, data=data, auth=json.dumps(auth)))
        with _locked(self.directory / "server.lock", fcntl.LOCK_EX) as lock, self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [server_command(), "--config", str(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
        self._save_state(pid=self._process.pid)

    def _becomes_ready(self, uri: str) -> bool:
        """Wait until the server answers (True) or ends (False)."""
        deadline = time.monotonic() + START_DEADLINE_S
        while self.is_running():
            if _answers(uri):
                return True
            if time.monotonic() > deadline:
                self._terminate()
                raise InputError(self._complaint(f"did not answer within {START_DEADLINE_S:g} s"))
            time.sleep(POLL_S)
        return False

    def _complaint(self, what: str, lines: int = 3) -> str:
        tail = " | ".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return f"The database in {self.directory} {what}; its log {self.log} ends with: {tail}"

    def _terminate(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if not self.is_running():
                break
            with suppress(ProcessLookupError):
                os.kill(self._pid(), sign)
            deadline = time.monotonic() + STOP_DEADLINE_S
            while time.monotonic() < deadline and self.is_running():
                time.sleep(POLL_S)
        if self._process is not None:
            self._process.wait(timeout=STOP_DEADLINE_S)
            self._process = None
        self._save_state(host=None, pid=None)

    def _pid(self) -> int:
        pid = self._state().get("pid")
        if pid is None:
            raise InputError(
                f"A server that was cut off while starting holds {self.directory}: end it by hand."
            )
        return int(pid)


def server_command() -> str:
    """Path of the server's executable; raises `InputError` if it is not installed."""
    folders = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    found = shutil.which("secantusd-rs", path=folders)
    if found is None:
        raise InputError(
            "The embedded database is not installed: run `pip install 'alflow[embedded]'`, "
            "or name a MongoDB server with --uri."
        )
    return found


def _answers(uri: str) -> bool:
    """Whether a server answers and accepts the URI's password; only the folder's own server accepts it."""
    with suppress(PyMongoError), MongoClient[Any](uri, serverSelectionTimeoutMS=100) as client:
        return bool(client.admin.command("dbStats"))
    return False


def _locked(path: Path, operation: int) -> IO[bytes]:
    """Open a lock file and lock it; closing it releases the lock, unless a child process inherited it."""
    file = path.open("ab")
    fcntl.flock(file, operation)
    return file


def _is_held(path: Path, operation: int) -> bool:
    """Whether a process holds a lock on `path` that conflicts with `operation`."""
    try:
        _locked(path, operation | fcntl.LOCK_NB).close()
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _free_port(preferred: int) -> int:
    for port in (preferred, 0):
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            number: int = probe.getsockname()[1]
            return number
    raise InputError(f"No free port on {HOST} for the embedded database: close what uses them.")
