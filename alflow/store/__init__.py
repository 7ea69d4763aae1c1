"""The MongoDB collections of campaigns. Knows no FireWorks."""

from __future__ import annotations

from alflow.store.store import Store

__all__ = ["Store"]
