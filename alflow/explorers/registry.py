"""Kinds of explorers by name."""

from __future__ import annotations

from typing import Annotated

from pydantic import SerializeAsAny

from alflow.explorers.protocol import Explorer, ExplorerSettings
from alflow.registry import ByKind, Registry

EXPLORERS: Registry[Explorer] = Registry(
    "kind of explorer",
    "alflow.explorers",
    {
        "md": "alflow.explorers.md:EXPLORER",
        "relax": "alflow.explorers.relax:EXPLORER",
        "neb": "alflow.explorers.neb:EXPLORER",
        "script": "alflow.explorers.script:EXPLORER",
    },
)

AnyExplorer = Annotated[SerializeAsAny[ExplorerSettings], ByKind(EXPLORERS, default="md")]
"""Campaign-file entry of an explorer of any kind."""
