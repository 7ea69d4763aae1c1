"""Kinds of campaigns by name, and the keys that the files of all kinds share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pydantic import Field, field_validator

from alflow.campaign.sections import QM
from alflow.registry import Registry
from alflow.settings import Name, Section, Symbol


class CampaignSettings(Section):
    """A campaign file. Each kind adds its own keys."""

    name: Name = Field(description="name of the campaign; unique in its database")
    kind: str = Field(description="kind of campaign")
    species: list[Symbol] = Field(
        min_length=1, max_length=10, description="chemical symbols, in the potential's order"
    )
    qm: QM = Field(description="the code that labels")

    @field_validator("species")
    @classmethod
    def _each_once(cls, species: list[str]) -> list[str]:
        require_unique("species", species)
        return species

    def resolved(self, folder: Path) -> CampaignSettings:
        """A copy in which relative paths are resolved against this folder."""
        return self

    def files(self) -> list[tuple[str, str]]:
        """Pairs of a field and the file that it names."""
        return []


class HasSettings(Protocol):
    """The part of a kind that campaign files need; `workflows.campaign_kind` holds the whole kind."""

    Settings: type[CampaignSettings]

    @property
    def old_keys(self) -> frozenset[str]:
        """Keys that identify a file of this kind from an earlier release, which has no `kind`."""
        ...


DEFAULT_KIND = "active-learning"
KINDS: Registry[HasSettings] = Registry(
    "kind of campaign",
    "alflow.campaigns",
    {
        "active-learning": "workflows.active_learning:KIND",
        "hull-screening": "workflows.hull_screening:KIND",
    },
)


def require_unique(what: str, names: list[str]) -> None:
    """Raise ValueError if a name is given twice."""
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{what} {twice[0]!r} is given twice, names must be unique")
