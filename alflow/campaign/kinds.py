"""Kinds of campaigns by name, and what the files of all kinds have in common."""

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
        """The same with all paths taken from this folder."""
        return self

    def files(self) -> list[tuple[str, str]]:
        """The files that it names, each after the field that names it."""
        return []


class HasSettings(Protocol):
    """What a campaign file needs to know of its kind; `workflows.campaign_kind` has all of it."""

    Settings: type[CampaignSettings]

    @property
    def old_keys(self) -> frozenset[str]:
        """Keys that tell a file of this kind that was written before files had a `kind`."""
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
    """Refuse a name that is given twice; raises ValueError."""
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{what} {twice[0]!r} is given twice, names must be unique")
