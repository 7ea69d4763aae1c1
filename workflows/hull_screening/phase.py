"""Shared by the phases of a screening."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Protocol

from bson import ObjectId
from fireworks import Firework

from alflow.states import ChunkTask
from alflow.store import Store
from workflows.hull_screening.schema import Screening
from workflows.tasks import gather, relax
from workflows.tasks.base import firework
from workflows.training import refit


class Phase(StrEnum):
    """Phase of a screening; the value is its name in a campaign's document."""

    GATHERING = "gathering"
    LEARNING = "learning"
    VALIDATION = "validation"
    FINAL = "final"


class PhaseModule(Protocol):
    """The part of a phase in a round; `document` is the campaign's. The caller repeats killed calls."""

    def explorations(self, store: Store, config: Screening, document: dict[str, Any]) -> list[Firework]:
        """The first fireworks of a round."""
        ...

    def choose(self, store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
        """Request labels; return the facts of the event that makes the choice final."""
        ...

    def conclude(self, store: Store, config: Screening, document: dict[str, Any]) -> dict[str, Any]:
        """End a round; return the changes of the campaign's document, or ``end``: end state and reason."""
        ...


def chunk_fireworks(
    store: Store, document: dict[str, Any], task: ChunkTask, chunks: list[list[ObjectId]]
) -> list[Firework]:
    """Divide a round's work into these chunks, once; return the fireworks of the open chunks."""
    name, round_ = document["name"], document["round"]
    if store.events.get(name, f"divided-{round_}") is None:
        store.chunks.create(name, round_, chunks, task=task)
        store.events.add(name, f"divided-{round_}", "divided", round_, chunks=len(chunks))
    # The tasks import this package, so they are imported here.
    work_on = gather.GatherTask if task == ChunkTask.GATHER else relax.RelaxTask
    return [
        firework(work_on, f"{task} {number + 1}", campaign=name, round_=round_, chunk=number)
        for number in reversed(store.chunks.unfinished(name, round_))
    ]


def choice(
    candidates: Sequence[Any], labels: list[ObjectId], grades: Sequence[float] = (), **facts: Any
) -> dict[str, Any]:
    """The facts of the event that makes a choice final."""
    extremes = [min(grades), max(grades)] if grades else []
    return {"candidates": len(candidates), "labels": labels, "refused": [], "grades": extremes, **facts}


def refit_stage(store: Store, config: Screening, document: dict[str, Any], stage: int) -> bool:
    """Fit the next version of a stage's potential; False if there are no new labels."""
    settings = config.stages[stage]
    return refit(
        store,
        config.name,
        document["round"],
        species=config.species,
        form=settings.potential,
        settings=settings.fit,
        mode=settings.selection.mode,
        stage=stage,
    )


def stage_version(store: Store, document: dict[str, Any]) -> int:
    """The newest version of the present stage's potential."""
    newest = store.potentials.latest(document["name"], stage=document["stage"])
    if newest is None:
        raise RuntimeError(f"stage {document['stage'] + 1} has no potential yet")
    version: int = newest["version"]
    return version


def enter_learning(config: Screening, stage: int) -> dict[str, Any]:
    """The changes of the campaign's document at the beginning of a stage's learning."""
    return {"phase": Phase.LEARNING, "stage": stage, "sample": config.screen.first_sample}


def missing_elements(store: Store, config: Screening, **where: Any) -> list[str]:
    """Species without a pure-element candidate matching `where`."""
    return [
        symbol
        for index, symbol in enumerate(config.species)
        if not store.candidates.has(config.name, **{f"fractions.{index}": 1.0}, **where)
    ]
