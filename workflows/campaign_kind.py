"""Interface of a kind of campaign. A round of any kind is explore → select → label → train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ase import Atoms
from fireworks import Firework

from alflow.campaign.kinds import KINDS, CampaignSettings
from alflow.results import Overview
from alflow.store import Store

if TYPE_CHECKING:
    from alflow.report import Page


@dataclass(frozen=True)
class Preview:
    """What a campaign file tells of the work before it begins.

    Attributes
    ----------
    structures
        The first structures to label, or structures like them, in the order of their labels.
    cutoff_A
        Cutoff of the potential; None if there is none to compare cells with.
    labelled
        Labelled structures that the file brings, with the energies that will be trained on.
    labelled_file
        The file that they come from, for messages.
    """

    structures: Sequence[Atoms] = ()
    cutoff_A: float | None = None
    labelled: Sequence[Atoms] = ()
    labelled_file: str = ""


class Procedure(Protocol):
    """The steps of a kind of campaign in a round.

    From `explorations` on, the caller holds the campaign's lease and repeats interrupted calls, so functions
    must be idempotent.
    """

    @property
    def FIXED(self) -> tuple[str, ...]:
        """Keys of the campaign file that cannot change once the campaign has begun."""
        ...

    def check(self, config: Any) -> None:
        """Read and check the campaign's files before it begins.

        Raises
        ------
        InputError
            If a file or a setting is invalid.
        """
        ...

    def check_additions(self, store: Store, old: Any, config: Any) -> Sequence[str]:
        """Compare keys that accept some changes with the old configuration; return what changes, in words.

        Raises
        ------
        InputError
            If they have changed in another way.
        """
        ...

    def begin(self, store: Store, config: Any) -> None:
        """Store the data with which the campaign starts."""
        ...

    def explorations(self, store: Store, config: Any, round_: int) -> list[Firework]:
        """The first fireworks of a round."""
        ...

    def choose(self, store: Store, config: Any, round_: int) -> dict[str, Any]:
        """Request the labels of a round; return the facts of the event that makes the choice final."""
        ...

    def conclude(self, store: Store, config: Any, round_: int) -> None:
        """End a round once its labels have ended: learn, then advance the campaign or end it."""
        ...

    def retry_failed(self, store: Store, name: str) -> None:
        """Restart the broken parts of a campaign, at the request of a person."""
        ...


@dataclass(frozen=True)
class CampaignKind:
    """A kind of campaign: the object that its module exports.

    Attributes
    ----------
    Settings
        The campaign file.
    procedure
        The steps in a round; a module with these functions is sufficient.
    overview
        Function that returns the present state, given the store and the campaign's document.
    page
        Function that returns the report, given the store and the campaign's name.
    old_keys
        Keys that identify a file of this kind without `kind`.
    """

    Settings: type[CampaignSettings]
    procedure: Procedure
    overview: Callable[[Store, dict[str, Any]], Overview]
    page: Callable[[Store, str], Page]
    old_keys: frozenset[str] = field(default=frozenset())


def preview_of(config: CampaignSettings) -> Preview:
    """What the campaign file tells of the work; nothing if its kind has no function `preview`."""
    preview: Callable[[Any], Preview] | None = getattr(kind_of(config).procedure, "preview", None)
    return Preview() if preview is None else preview(config)


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
