"""What a kind of campaign offers. A round is the same for all kinds: explore → select → label → train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from fireworks import Firework

from alflow.campaign.kinds import KINDS, CampaignSettings
from alflow.report import Page
from alflow.results import Overview
from alflow.store import Store


class Procedure(Protocol):
    """What a kind of campaign does in a round.

    From `explorations` on, the caller holds the campaign's lease and repeats interrupted calls, so functions
    must be idempotent.
    """

    @property
    def FIXED(self) -> tuple[str, ...]:
        """Keys of the campaign file that cannot change once the campaign has begun."""
        ...

    def check(self, config: Any) -> None:
        """Read the campaign's files and find everything that can be wrong before it begins.

        Raises
        ------
        InputError
            If something is wrong.
        """
        ...

    def check_additions(self, store: Store, old: Any, config: Any) -> None:
        """Compare keys that can only be added to with the old configuration.

        Raises
        ------
        InputError
            If they have changed otherwise.
        """
        ...

    def begin(self, store: Store, config: Any) -> None:
        """Store what the campaign starts from."""
        ...

    def explorations(self, store: Store, config: Any, round_: int) -> list[Firework]:
        """The fireworks that a round begins with."""
        ...

    def choose(self, store: Store, config: Any, round_: int) -> dict[str, Any]:
        """Ask for the labels of a round; the facts of the event that makes the choice final."""
        ...

    def conclude(self, store: Store, config: Any, round_: int) -> None:
        """End a round once its labels have ended: learn, then advance the campaign or end it."""
        ...

    def retry_failed(self, store: Store, name: str) -> None:
        """Set whatever broke going again, when a person asks for it."""
        ...


@dataclass(frozen=True)
class CampaignKind:
    """A kind of campaign: the object that its module exports.

    Attributes
    ----------
    Settings
        The campaign file.
    procedure
        What it does in a round; a module with these functions will do.
    overview
        Where a campaign stands, from the store and the campaign's document.
    page
        The campaign's report, from the store and the campaign's name.
    old_keys
        Keys that tell a file of this kind that has no `kind`.
    """

    Settings: type[CampaignSettings]
    procedure: Procedure
    overview: Callable[[Store, dict[str, Any]], Overview]
    page: Callable[[Store, str], Page]
    old_keys: frozenset[str] = field(default=frozenset())


def kind_of(config: CampaignSettings) -> CampaignKind:
    """The kind of a campaign.

    Raises
    ------
    InputError
        If the package that offers it is not installed here.
    """
    kind = KINDS.get(config.kind)
    assert isinstance(kind, CampaignKind)
    return kind
