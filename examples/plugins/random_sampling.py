"""A kind of campaign as a plug-in: label displaced structures round after round, whatever their grade.

This is the control experiment of active learning: the same potential from random structures.
"""

from __future__ import annotations

from typing import Any, Literal

from fireworks import Firework
from pydantic import Field

from alflow.campaign.kinds import CampaignSettings
from alflow.potentials import FitSettings
from alflow.potentials.registry import AnyPotential
from alflow.report import CampaignPage
from alflow.results import read_campaign, read_overview, read_trained, read_versions
from alflow.states import CampaignState, LabelKind
from alflow.store import Store
from alflow.structures.displaced import Displacements, displaced
from alflow.structures.starting import Structure, starting_structures
from workflows.campaign_kind import CampaignKind
from workflows.labelling import request_labels
from workflows.training import refit


class RandomSampling(CampaignSettings):
    """A campaign that learns from random displacements."""

    kind: Literal["random-sampling"] = Field(default="random-sampling", description="random structures")
    structures: list[Structure] = Field(min_length=1, description="structures to displace")
    potential: AnyPotential = Field(description="form of the potential")
    fit: FitSettings = Field(default=FitSettings(), description="weights and settings of the fit")
    displacements: Displacements = Field(default=Displacements(), description="structures of each round")
    rounds: int = Field(default=3, ge=1, description="rounds")


class Procedure:
    """What a round does."""

    FIXED = ("species", "structures", "potential")

    def check(self, config: RandomSampling) -> None:
        starting_structures(config.structures, config.species)

    def check_additions(self, store: Store, old: RandomSampling, config: RandomSampling) -> list[str]:
        return []

    def begin(self, store: Store, config: RandomSampling) -> None: ...

    def retry_failed(self, store: Store, name: str) -> None: ...

    def explorations(self, store: Store, config: RandomSampling, round_: int) -> list[Firework]:
        return []

    def choose(self, store: Store, config: RandomSampling, round_: int) -> dict[str, Any]:
        starts = list(starting_structures(config.structures, config.species).values())
        seed = config.displacements.seed + round_
        structures = displaced(starts, config.displacements.model_copy(update={"seed": seed}))
        labels = request_labels(store, config, round_, structures, LabelKind.INITIAL)
        return {"candidates": len(structures), "labels": labels, "refused": [], "grades": []}

    def conclude(self, store: Store, config: RandomSampling, round_: int) -> None:
        form, settings = config.potential, config.fit
        refit(store, config.name, round_, species=config.species, form=form, settings=settings)
        if round_ + 1 == config.rounds:
            store.campaigns.end(config.name, CampaignState.FINISHED, f"{config.rounds} rounds are done")
        else:
            store.campaigns.advance(config.name, round_)


def page(store: Store, name: str) -> CampaignPage:
    campaign = read_campaign(store, name, "random sampling")
    return CampaignPage(campaign, read_versions(store, name), read_trained(store, name))


KIND = CampaignKind(Settings=RandomSampling, procedure=Procedure(), overview=read_overview, page=page)
