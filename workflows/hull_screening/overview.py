"""The present state of a screening."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alflow.results import Overview, Table, read_overview
from alflow.results.wording import shared_and_own, spoken_all
from alflow.states import CandidateState, ChunkTask
from alflow.store import Store
from workflows.hull_screening.phase import Phase
from workflows.hull_screening.results import QM
from workflows.hull_screening.schema import Screening

OUTCOMES = (CandidateState.RELAXED, CandidateState.PAUSED, CandidateState.DROPPED)
ROUND_COLUMNS: Mapping[str, str] = {
    "round": "round",
    "phase": "phase",
    "relaxed": "relaxed",
    "paused": "paused",
    "gamma_max": "γ max",
    "done": "labels",
    "energy_rmse_eV_per_atom": "RMSE, meV/atom",
    "force_rmse_eV_A": "eV/Å",
}


@dataclass(frozen=True)
class StageCounts:
    """Candidates of a stage.

    Attributes
    ----------
    stage
        Number of the stage from 1, or "QM" for the final relaxations.
    potential
        Settings of its potential that distinguish it from other stages, in words; None for QM.
    entered
        Number of all candidates that have entered so far, including those in later stages.
    states
        Number of candidates that are in the stage now, by state.
    sigma_eV
        Error of its formation energies, per atom; None until it is measured.
    kept
        Number of kept candidates; None until the stage is done.
    """

    stage: int | str
    potential: str | None
    entered: int
    states: Mapping[CandidateState, int]
    sigma_eV: float | None
    kept: int | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values; the states are on the same level as the others."""
        states = {str(state): self.states.get(state, 0) for state in CandidateState}
        return {key: value for key, value in vars(self).items() if key != "states"} | states


@dataclass(frozen=True)
class Stages:
    """The phase, and the candidates per stage; the last entry is for the final relaxations."""

    phase: Phase
    stage: int
    stages: Sequence[StageCounts]

    @property
    def subtitle(self) -> str:
        """The phase, and the stage if the phase has one."""
        in_stage = self.phase in (Phase.LEARNING, Phase.VALIDATION)
        return f"{self.phase}, stage {self.stage}" if in_stage else str(self.phase)

    @property
    def round_columns(self) -> Mapping[str, str]:
        """The shared columns, with the phase and the numbers of candidates."""
        return ROUND_COLUMNS

    def tables(self) -> list[Table]:
        """Candidates by stage and state."""
        columns = ("stage", "entered", "waiting", "paused", "relaxed", "dropped", "kept", "σ, meV")
        rows = []
        for stage in self.stages:
            now = stage.as_dict()
            relaxed = now["relaxed"] + now["final"]
            sigma_meV = None if stage.sigma_eV is None else 1000 * stage.sigma_eV
            counts = (now["waiting"], now["paused"], relaxed, now["dropped"])
            rows.append((str(stage.stage), stage.entered, *counts, stage.kept, sigma_meV))
        return [Table("Stages", columns, rows)]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "phase": str(self.phase),
            "stage": self.stage,
            "stages": [stage.as_dict() for stage in self.stages],
        }


def overview(store: Store, document: Mapping[str, Any]) -> Overview:
    """The present state of a screening, from the store and the campaign's document."""
    phase = Phase(document.get("phase", Phase.GATHERING))
    return read_overview(
        store,
        document,
        part=Stages(phase, document.get("stage", 0) + 1, _stages(store, document["name"])),
        exploring=_exploring(store, document["name"], document["round"], phase),
        work=_relaxed(store, document["name"]),
    )


def _stages(store: Store, name: str) -> list[StageCounts]:
    config = store.campaigns.config(name)
    assert isinstance(config, Screening)
    counts = store.candidates.counts(name)
    sifted = {event["stage"]: event for event in store.events.find(name, "sifted")}
    _, forms = shared_and_own([stage.potential.model_dump(mode="json") for stage in config.stages])
    return [
        StageCounts(
            stage=stage + 1 if potential is not None else QM,
            potential=potential,
            entered=sum(sum(states.values()) for at, states in counts.items() if at >= stage),
            states={CandidateState(state): count for state, count in counts.get(stage, {}).items()},
            sigma_eV=sifted.get(stage, {}).get("sigma_eV"),
            kept=sifted.get(stage, {}).get("kept"),
        )
        for stage, potential in enumerate([*map(spoken_all, forms), None])
    ]


def _exploring(store: Store, name: str, round_: int, phase: Phase) -> str | None:
    """The chunks for which the round waits, in words; None if there are none."""
    unfinished = len(store.chunks.unfinished(name, round_))
    if phase == Phase.GATHERING:
        divided = store.events.get(name, f"divided-{round_}") is not None
        return None if divided and not unfinished else "candidates to be gathered"
    return f"{unfinished} chunks of candidates to be relaxed" if unfinished else None


def _relaxed(store: Store, name: str) -> dict[int, Counter[str]]:
    """Numbers of relaxed, paused and dropped candidates, by round; zeros in rounds without relaxations."""
    rounds = [event["round"] for event in store.events.find(name, "selected")]
    found = {round_: Counter({str(state): 0 for state in OUTCOMES}) for round_ in rounds}
    for chunk in store.chunks.finished(name):
        if chunk["task"] == ChunkTask.RELAX and chunk["round"] in found:
            found[chunk["round"]].update({str(state): chunk[state] for state in OUTCOMES})
    return found
