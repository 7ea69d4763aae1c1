"""Work for one process at a time: the process claims a lease, renews it, and ends it.

A document is free if its `lease` is None or has run out. A worker that is killed stops renewing its lease, so
the document becomes free when the lease runs out; workers on the same host see that the process is gone and
break the lease at once. A worker that lost its lease cannot write: every update names the token of its claim.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import psutil
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from alflow.store.times import now

LEASE_SECONDS = 120.0  # survives a garbage-collection pause or a database restart, not a lost node
RENEW_SECONDS = 20.0
POLL_S = 0.5

Document = dict[str, Any]
Claimed = TypeVar("Claimed")
_log = logging.getLogger(__name__)


class LeasedWork:
    """The documents of a collection as work that processes claim. Each document has a field ``lease``."""

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection

    def claim(
        self,
        query: Mapping[str, Any],
        *,
        set_: Mapping[str, Any] | None = None,
        inc: Mapping[str, int] | None = None,
        upsert: bool = False,
    ) -> Document | None:
        """Lease the document of a query; None if it is leased to another, or no document matches.

        Parameters
        ----------
        set_, inc
            Fields to change in the same step.
        upsert
            Insert the document if there is none; the query must then name its ``_id``.
        """
        update: dict[str, Any] = {"$set": {**(set_ or {}), "lease": new_lease()}}
        if inc:
            update["$inc"] = dict(inc)
        try:
            document: Document | None = self.collection.find_one_and_update(
                {**query, **free()}, update, upsert=upsert, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:
            return None  # it exists and is leased
        if document is not None:
            _log.debug("claimed %s %s", self.collection.name, document["_id"])
        return document

    @contextmanager
    def held(self, document: Document, seconds: float = RENEW_SECONDS) -> Iterator[None]:
        """Renew the lease of a claimed document from a background thread while the block runs."""
        done = threading.Event()
        renewal = {"_id": document["_id"], "lease.token": document["lease"]["token"]}

        def renew() -> None:
            while not done.wait(seconds):
                until = now() + timedelta(seconds=LEASE_SECONDS)
                try:
                    self.collection.update_one(renewal, {"$set": {"lease.until": until}})
                except PyMongoError as error:  # the lease outlives several renewals
                    _log.warning("a lease could not be renewed: %s", error)

        thread = threading.Thread(target=renew, daemon=True, name="lease")
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def update(self, key: Any, token: str, update: Mapping[str, Any], **where: Any) -> bool:
        """Update a leased document (with MongoDB's operators); False if the lease was lost."""
        found = self.collection.update_one({"_id": key, "lease.token": token, **where}, update)
        return found.matched_count > 0

    def finish(
        self,
        key: Any,
        token: str,
        changes: Mapping[str, Any],
        *,
        inc: Mapping[str, float] | None = None,
        **where: Any,
    ) -> bool:
        """Store the results of the work and end the lease, in one step; False if the lease was lost."""
        update: dict[str, Any] = {"$set": {**changes, "lease": None, "ended": now()}}
        if inc:
            update["$inc"] = dict(inc)
        return self.update(key, token, update, **where)

    def release(self, document: Document) -> None:
        """End the lease of a claimed document, unless it was lost meanwhile."""
        self.update(document["_id"], document["lease"]["token"], {"$set": {"lease": None}})

    def break_dead(self, query: Mapping[str, Any]) -> int:
        """End leases of vanished processes of this host among a query's documents; return their number."""
        ended = 0
        for document in self.collection.find({**query, "lease": {"$ne": None}}, {"lease": 1}):
            lease = document["lease"]
            if holder_is_gone(lease) and self.update(
                document["_id"], lease["token"], {"$set": {"lease": None}}
            ):
                _log.warning(
                    "process %d is gone: %s %s is free", lease["pid"], self.collection.name, document["_id"]
                )
                ended += 1
        return ended


def wait_for(
    claim: Callable[[], Claimed | None], is_over: Callable[[], bool] = lambda: False
) -> Claimed | None:
    """Repeat a claim until it succeeds; None if another process finishes the work first."""
    while (claimed := claim()) is None and not is_over():
        time.sleep(POLL_S)
    return claimed


def new_lease(seconds: float = LEASE_SECONDS) -> Document:
    """A lease for this process; its token is unique to this claim."""
    return {
        "token": uuid.uuid4().hex,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "process_started": psutil.Process().create_time(),
        "until": now() + timedelta(seconds=seconds),
    }


def free() -> Document:
    """Query: documents without a valid lease."""
    return {"$or": [{"lease": None}, {"lease.until": {"$lt": now()}}]}


def leased() -> Document:
    """Query: documents with a valid lease."""
    return {"lease.until": {"$gte": now()}}


def is_own(lease: Mapping[str, Any] | None) -> bool:
    """Whether this process took the lease."""
    return lease is not None and (lease["host"], lease["pid"]) == (socket.gethostname(), os.getpid())


def holder_is_gone(lease: Mapping[str, Any]) -> bool:
    """Whether the lease was taken on this host by a process that no longer exists."""
    if lease["host"] != socket.gethostname():
        return False
    try:
        return bool(abs(psutil.Process(lease["pid"]).create_time() - lease["process_started"]) > 1)
    except psutil.NoSuchProcess:
        return True
