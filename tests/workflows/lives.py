"""Workers that die between two writes to the database."""

from __future__ import annotations

import multiprocessing
import os
from typing import Any

from pymongo import monitoring

from alflow.store import Store
from workflows.launchpad import open_launchpad
from workflows.local import ROLES, work
from workflows.recovery import recover

WRITES = {"insert", "update", "delete", "findAndModify"}
KILLED = 9


class DieAtWrite(monitoring.CommandListener):
    """End the process, as kill -9 does, just before its n-th write."""

    def __init__(self, number: int) -> None:
        self.left = number

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in WRITES:
            self.left -= 1
            if self.left < 0:
                os._exit(KILLED)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def _live_and_die(uri: str, name: str, campaign: str, writes: int) -> None:
    """What a user does who calls `alflow run` again: recover, then work until the end, or until killed."""
    monitoring.register(DieAtWrite(writes))
    launchpad = open_launchpad(uri, name)
    store = Store(launchpad.db)
    recover(store, launchpad, campaign, patience_s=0.0)
    work(launchpad, ROLES, keep_going=lambda: store.campaigns.get(campaign)["state"] == "running")


def life(stage: Any, campaign: str, writes: int = 1_000_000) -> int | None:
    """Work on a campaign in a process of its own until its end or its n-th write; the exit code."""
    process = multiprocessing.get_context("fork").Process(
        target=_live_and_die, args=(stage.uri, stage.name, campaign, writes)
    )
    process.start()
    process.join()
    return process.exitcode
