"""Gather: the candidates of a screening's sources into the store."""

from __future__ import annotations

from itertools import islice
from typing import Any

from fireworks import explicit_serialize

from alflow.store import Store
from workflows.hull_screening.schema import Screening
from workflows.hull_screening.sources import documents
from workflows.tasks.chunk import ChunkTask

WRITTEN_AT_ONCE = 1000


@explicit_serialize
class GatherTask(ChunkTask):
    """Gather all sources, one candidate after the other; candidates that a killed worker stored stay.

    Parts are stored in order, so the stored candidates, except those of the last part, are the first of the
    stream.
    """

    def work_on(self, store: Store, config: Screening, chunk: dict[str, Any]) -> dict[str, int]:
        stored = store.candidates.count(config.name)
        stream = islice(documents(config), max(0, stored - WRITTEN_AT_ONCE), None)
        found = 0
        while part := list(islice(stream, WRITTEN_AT_ONCE)):
            found += store.candidates.add(config.name, part)
        return {"found": found}
