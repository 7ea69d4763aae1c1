"""Errors of a campaign's potential on frames that were labelled at random and never trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ase import Atoms
from bson import ObjectId

from alflow.potentials.estimates import EstimatedErrors
from alflow.states import LabelState
from alflow.store import Store

FEWEST_FRAMES = 5
"""Errors on fewer frames are not shown: the interval of so small a sample says nothing."""


@dataclass(frozen=True)
class ValidationRecord:
    """The validation error as it was known at the end of a round.

    Attributes
    ----------
    round
    version
        Version of the potential.
    errors
        On the validation frames of that moment.
    """

    round: int
    version: int
    errors: EstimatedErrors

    @property
    def in_words(self) -> str:
        """Such as ``validation 0.041 (0.036–0.047) eV/Å, 0.50 (0.41–0.61) meV/atom, 24 frames``."""
        if self.errors.frames < FEWEST_FRAMES:
            return f"validation: too few frames yet ({self.errors.frames})"
        return (
            f"validation {self.errors.force_rmse_eV_A.in_words()} eV/Å, "
            f"{self.errors.energy_rmse_eV_per_atom.in_words(1000)} meV/atom, {self.errors.frames} frames"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"round": self.round, "version": self.version, **self.errors.as_dict()}


@dataclass(frozen=True)
class ValidationSet:
    """The labelled validation frames of a campaign.

    Attributes
    ----------
    labels
    structures
        With their labels.
    weights
        Share of the explored configurations for which each frame stands; their sum has no meaning.
    """

    labels: Sequence[ObjectId] = ()
    structures: Sequence[Atoms] = ()
    weights: Sequence[float] = ()


def read_validations(store: Store, campaign: str) -> list[ValidationRecord]:
    """The validation errors that were stored at the ends of rounds, oldest first."""
    return [
        ValidationRecord(event["round"], event["version"], EstimatedErrors.from_dict(event["errors"]))
        for event in store.events.find(campaign, "validated")
    ]


def read_validation_set(store: Store, campaign: str) -> ValidationSet:
    """The validation frames whose labels are finished; empty for campaigns without."""
    drawn: dict[ObjectId, Mapping[str, Any]] = {
        frame["label"]: frame
        for event in store.events.find(campaign, "selected")
        for frame in event.get("validation", [])
    }
    if not drawn:
        return ValidationSet()
    labels = [
        label["_id"]
        for label in store.labels.find(campaign, state=LabelState.DONE)
        if label["_id"] in drawn and label["held_out"]
    ]
    weights = [float(drawn[label]["weight"]) for label in labels]
    return ValidationSet(labels, store.labels.structures(labels), weights)
