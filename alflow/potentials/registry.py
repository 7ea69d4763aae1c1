"""Kinds of potentials by name."""

from __future__ import annotations

from typing import Annotated

from pydantic import SerializeAsAny

from alflow.potentials.protocol import PotentialKind
from alflow.potentials.settings import PotentialSettings
from alflow.registry import ByKind, Registry

POTENTIALS: Registry[PotentialKind] = Registry(
    "kind of potential", "alflow.potentials", {"mtp": "alflow.potentials.mtp:KIND"}
)

AnyPotential = Annotated[SerializeAsAny[PotentialSettings], ByKind(POTENTIALS, default="mtp")]
"""Campaign-file field with the form of a potential of any kind."""
