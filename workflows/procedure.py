"""What the two kinds of campaign do differently in the same round: explore → select → label → train."""

from __future__ import annotations

from typing import Any, Protocol

from fireworks import Firework

from alflow.campaign.file import AnyCampaign
from workflows.hull_screening.schema import Screening
from alflow.store import Store
from workflows import active_learning, hull_screening


class Procedure(Protocol):
    """A kind of campaign. From `explorations` on, who calls holds its lease and repeats killed calls."""

    def check(self, config: Any) -> None:
        """Read its files and find everything that can be wrong before it begins. Raises InputError."""
        ...

    @property
    def FIXED(self) -> tuple[str, ...]:
        """Keys of the campaign file that cannot change once the campaign has begun."""
        ...

    def check_additions(self, store: Store, old: dict[str, Any], config: Any) -> None:
        """Raise InputError if what can be added to has changed otherwise against the old configuration."""
        ...

    def begin(self, store: Store, config: Any) -> None:
        """Store what the campaign starts from. Idempotent."""
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


def procedure_of(config: AnyCampaign) -> Procedure:
    """The procedure of a campaign."""
    return hull_screening if isinstance(config, Screening) else active_learning
