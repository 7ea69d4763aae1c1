"""The overview and the report of a campaign of any kind, for commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alflow.report import Page
    from alflow.results import Overview
    from alflow.store import Store


def overview(store: Store, name: str) -> Overview:
    """The present state of a campaign.

    Raises
    ------
    InputError
        If there is no such campaign, or the package that offers its kind is not installed.
    """
    from workflows.campaign_kind import kind_of

    return kind_of(store.campaigns.config(name)).overview(store, store.campaigns.get(name))


def page(store: Store, name: str) -> Page:
    """The report of a campaign.

    Raises
    ------
    InputError
        If there is no such campaign, or the package that offers its kind is not installed.
    """
    from workflows.campaign_kind import kind_of

    return kind_of(store.campaigns.config(name)).page(store, name)
