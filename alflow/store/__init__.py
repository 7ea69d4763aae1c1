"""What is kept in MongoDB. Knows no FireWorks."""

from __future__ import annotations

from alflow.store.overview import overview
from alflow.store.store import Store

__all__ = ["Store", "overview"]
