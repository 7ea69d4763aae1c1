"""Bring stored campaigns up to today's schema.

Each step changes a document in one write, and only if the document still has its old form. The campaign's
`schema_version` is written last. A migration that is killed between two writes can therefore run again, and
a finished migration changes nothing. A lease lets one process at a time migrate.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pymongo.database import Database

from alflow.errors import InputError
from alflow.store import schema_2
from alflow.store.campaigns import SCHEMA_VERSION
from alflow.store.leased_work import LeasedWork, wait_for

_Step = Callable[[Database[dict[str, Any]], dict[str, Any]], None]
STEPS: Mapping[int, _Step] = {1: schema_2.migrate}
"""Version of a campaign → the step to the next version; it takes the database and the document."""

_log = logging.getLogger(__name__)


def bring_up_to_date(database: Database[dict[str, Any]]) -> None:
    """Bring all campaigns of a database up to today's schema; one cheap query if they are up to date.

    Workers of an earlier release must have ended: they cannot read the new documents.

    Raises
    ------
    InputError
        If a newer release has stored a campaign.
    """
    if _other_version(database) is None:
        return
    lock = LeasedWork(database["migrations"])

    def claim() -> dict[str, Any] | None:
        lock.break_dead({})
        return lock.claim({"_id": "schema"}, upsert=True)

    claimed = wait_for(claim, lambda: _other_version(database) is None)
    if claimed is None:
        return
    try:
        with lock.held(claimed):
            while (campaign := _other_version(database)) is not None:
                version = _version(campaign)
                _log.warning("campaign %s: from schema %d to %d", campaign["name"], version, version + 1)
                STEPS[version](database, campaign)
                database["campaigns"].update_one(
                    {"_id": campaign["_id"]}, {"$set": {"schema_version": version + 1}}
                )
    finally:
        lock.release(claimed)


def _other_version(database: Database[dict[str, Any]]) -> dict[str, Any] | None:
    """A campaign that is stored with another schema than this release's; None if there is none.

    Raises
    ------
    InputError
        If a newer release has stored it.
    """
    newest = database["campaigns"].find_one(
        {"schema_version": {"$ne": SCHEMA_VERSION}}, sort=[("schema_version", -1)]
    )
    if newest is not None and (version := _version(newest)) > SCHEMA_VERSION:
        raise InputError(
            f"campaign {newest['name']!r} was stored by a newer alflow (schema {version}; this one knows "
            f"{SCHEMA_VERSION}): upgrade alflow here"
        )
    return newest


def _version(campaign: Mapping[str, Any]) -> int:
    version: int = campaign.get("schema_version", 1)
    return version
