"""Versions of a campaign's potential, read from the store."""

from __future__ import annotations

from alflow.potentials import Potential
from alflow.potentials.registry import POTENTIALS
from alflow.selection import ActiveSet
from alflow.store import Store


def read_potential(store: Store, campaign: str, version: int) -> Potential:
    """A version of a campaign's potential."""
    kind = store.potentials.kind(campaign, version)
    return POTENTIALS.get(kind).from_bytes(
        store.potentials.content(campaign, version),
        store.campaigns.get(campaign)["config"]["species"],
        f"version {version} of {campaign}",
    )


def read_active_set(store: Store, campaign: str, version: int) -> ActiveSet:
    """The active set of a version of a campaign's potential."""
    return ActiveSet.from_bytes(store.potentials.active_set(campaign, version))
