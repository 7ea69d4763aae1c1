"""Leases: who works on a document, and until when others must keep off.

A worker that is killed stops renewing its lease; the document is free again when the lease runs out, or
at once for workers on the same host, whose process can be seen to be gone.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

LEASE_SECONDS = 120.0  # survives a garbage-collection pause or a database restart, not a lost node
RENEW_SECONDS = 20.0


def now() -> datetime:
    """The time that is stored: UTC."""
    return datetime.now(UTC)


def new_lease(seconds: float = LEASE_SECONDS) -> dict[str, Any]:
    """A lease for this process; its token is unique to this claim."""
    return {
        "token": uuid.uuid4().hex,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "process_started": psutil.Process().create_time(),
        "until": now() + timedelta(seconds=seconds),
    }


def free() -> dict[str, Any]:
    """Query: documents without a lease that still holds."""
    return {"$or": [{"lease": None}, {"lease.until": {"$lt": now()}}]}


def holder_is_gone(lease: dict[str, Any]) -> bool:
    """Whether the lease was taken on this host by a process that no longer exists."""
    if lease["host"] != socket.gethostname():
        return False
    try:
        return abs(psutil.Process(lease["pid"]).create_time() - lease["process_started"]) > 1
    except psutil.NoSuchProcess:
        return True


def break_dead_leases(collection: Collection[dict[str, Any]], query: dict[str, Any]) -> int:
    """End the leases of vanished local processes among the documents of a query; how many."""
    ended = 0
    for document in collection.find({**query, "lease": {"$ne": None}}, {"lease": 1}):
        if holder_is_gone(document["lease"]):
            result = collection.update_one(
                {"_id": document["_id"], "lease.token": document["lease"]["token"]}, {"$set": {"lease": None}}
            )
            ended += result.modified_count
    return ended


@contextmanager
def renewed(
    collection: Collection[dict[str, Any]], document_id: Any, token: str, seconds: float = RENEW_SECONDS
) -> Iterator[None]:
    """Renew a lease from a background thread for as long as the block runs."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(seconds):
            try:
                collection.update_one(
                    {"_id": document_id, "lease.token": token},
                    {"$set": {"lease.until": now() + timedelta(seconds=LEASE_SECONDS)}},
                )
            except PyMongoError:
                continue  # the database is away for a moment; the lease outlives several renewals

    thread = threading.Thread(target=renew, daemon=True, name="lease")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
