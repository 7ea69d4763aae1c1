"""Databases as earlier versions of alflow left them; `data/old_databases` says how they were made."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from bson import json_util
from pymongo.database import Database

FOLDER = Path(__file__).parent / "data" / "old_databases"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text())
"""By name of the dump: what the version that wrote it came to when it went on undisturbed to the end."""


def load(name: str, database: Database[dict[str, Any]]) -> None:
    """Fill an empty database from a dump such as ``md_finished``; indexes are not in it."""
    text = gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()).decode()
    for collection, documents in json_util.loads(text).items():
        if documents:
            database[collection].insert_many(documents)
