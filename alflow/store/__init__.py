"""The MongoDB collections of campaigns. This package does not depend on FireWorks."""

from __future__ import annotations

from alflow.store.store import Store

__all__ = ["Store"]
