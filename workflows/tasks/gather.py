"""Gather: the candidates of a screening's sources into the store."""

from __future__ import annotations

from itertools import islice
from typing import Any

from fireworks import explicit_serialize

from workflows.hull_screening.schema import Screening
from alflow.store import Store
from workflows.hull_screening.gathering import documents
from workflows.tasks.chunk import ChunkTask

WRITTEN_AT_ONCE = 1000


@explicit_serialize
class GatherTask(ChunkTask):
    """All sources, one candidate after the other; what a killed worker stored stays.

    Parts are stored one after the other, so that all candidates but the last part of those that are there
    are the first of the stream.
    """

    def work_on(self, store: Store, config: Screening, chunk: dict[str, Any]) -> dict[str, int]:
        stored = store.candidates.count(config.name)
        stream = islice(documents(config), max(0, stored - WRITTEN_AT_ONCE), None)
        found = 0
        while part := list(islice(stream, WRITTEN_AT_ONCE)):
            found += store.candidates.add(config.name, part)
        return {"found": found}
