"""Read the results of a screening from the store."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from bson import ObjectId
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.hull import element_energies, formation_energies, hull_distances
from alflow.results import LabelRecord, read_campaign
from alflow.results.wording import shared_and_own
from alflow.states import CandidateState, ChunkTask, Dropped, LabelKind
from alflow.store import Store
from workflows.hull_screening.compounds import Compound
from workflows.hull_screening.crystals import SYMMETRY_TOLERANCE_A, distinct, reduced_formula, space_group
from workflows.hull_screening.phase import Phase
from workflows.hull_screening.results import (
    FINAL,
    POTENTIALS,
    QM,
    TRAINING,
    DropRecord,
    EnergySet,
    FinalRecord,
    HullData,
    StageRecord,
    WorkRecord,
)
from workflows.hull_screening.schema import Screening

WINDOW_EV = 0.025


def read_hull(store: Store, campaign: str, window_eV: float | None = None) -> HullData:
    """Read all results of a finished or running screening.

    Parameters
    ----------
    store
    campaign
        Name of the campaign.
    window_eV
        Distance to the hull up to which crystals are listed, per atom; default: `WINDOW_EV`, or the
        campaign's `final.metastable_eV` if that is more.

    Raises
    ------
    InputError
        If there is no campaign of this name, it is no screening, or spglib is not installed.
    """
    config = store.campaigns.config(campaign)
    if not isinstance(config, Screening):
        raise InputError(
            f"campaign {campaign!r} is of kind {config.kind}, which has no hull; "
            "`alflow report` shows its results"
        )
    document = store.campaigns.get(campaign)
    record = read_campaign(store, campaign, "screening")
    species, complete_eV = config.species, config.final.metastable_eV
    window_eV = max(complete_eV, WINDOW_EV) if window_eV is None else window_eV
    levels = [_level(store, campaign, stage, len(species)) for stage in range(len(config.stages) + 1)]
    stages = _stages(store, config, record.labels, levels)
    final = _final(store, campaign, record.labels, len(stages))
    shown = _shown(levels, [stage.kept is not None for stage in stages])
    return HullData(
        campaign=record,
        phase=Phase(document.get("phase", Phase.GATHERING)),
        stage=document.get("stage", 0),
        window_eV=window_eV,
        complete_eV=complete_eV,
        symmetry_tolerance_A=SYMMETRY_TOLERANCE_A,
        hull_of=None if shown is None else _name_of(shown, len(stages)),
        compounds=[] if shown is None else _compounds(store, species, levels[shown], window_eV),
        energies=EnergySet.empty(len(species)) if shown is None else levels[shown].energies,
        stages=stages,
        final=final,
        dropped=_dropped(store, campaign),
        work=_work(record.labels, stages, final),
    )


class _Level(NamedTuple):
    """Candidates with an energy (eV per atom) from a stage's potential or, after the last stage, from QM."""

    ids: list[ObjectId]
    energies_eV: NDArray[np.float64]
    energies: EnergySet  # empty where an element is missing


def _level(store: Store, campaign: str, stage: int, species: int) -> _Level:
    ids, fractions, energies_eV = store.candidates.energies(campaign, stage)
    if not len(ids) or not (fractions == 1).any(axis=0).all():
        return _Level(ids, energies_eV, EnergySet.empty(species))
    formation_eV = formation_energies(fractions, energies_eV, element_energies(fractions, energies_eV))
    energies = EnergySet(fractions, formation_eV, hull_distances(fractions, energies_eV))
    return _Level(ids, energies_eV, energies)


def _shown(levels: Sequence[_Level], sifted: Sequence[bool]) -> int | None:
    """QM if it has all elements, else the last finished stage, else the last stage with all elements."""
    known = [index for index, level in enumerate(levels) if level.energies.formation_eV.size]
    complete = [index for index in known if index == len(sifted) or sifted[index]]
    return max(complete or known, default=None)


def _name_of(level: int, stage_count: int) -> str:
    return QM if level == stage_count else f"the potential of stage {level + 1}"


def _compounds(store: Store, species: Sequence[str], level: _Level, window_eV: float) -> list[Compound]:
    """The distinct crystals within the window."""
    near = np.flatnonzero(level.energies.above_hull_eV <= window_eV)
    found = []
    for index, candidate in zip(near, store.candidates.get([level.ids[i] for i in near]), strict=True):
        symbol, number = space_group(candidate["atoms"])
        found.append(
            Compound(
                name=candidate["name"],
                formula=reduced_formula(candidate["atoms"], species),
                fractions=tuple(candidate["fractions"]),
                atoms=candidate["atoms"],
                energy_eV=float(level.energies_eV[index]),
                formation_energy_eV=float(level.energies.formation_eV[index]),
                above_hull_eV=float(level.energies.above_hull_eV[index]),
                space_group=symbol,
                space_group_number=number,
            )
        )
    return distinct(found)


def _stages(
    store: Store, config: Screening, labels: Sequence[LabelRecord], levels: Sequence[_Level]
) -> list[StageRecord]:
    name = config.name
    counts = store.candidates.counts(name)
    sifted = {event["stage"]: event for event in store.events.find(name, "sifted")}
    kinds: dict[int, Counter[LabelKind]] = defaultdict(Counter)
    for label in labels:
        if label.stage is not None and label.kind != LabelKind.FINAL:
            kinds[label.stage][label.kind] += 1
    relaxation_s = _relaxation_s(store, name)
    versions = store.potentials.history(name)
    _, forms = shared_and_own([stage.potential.model_dump(mode="json") for stage in config.stages])
    records = []
    for number, (stage, level) in enumerate(zip(config.stages, levels, strict=False)):
        fits_s = [version["seconds"] for version in versions if version["stage"] == number]
        end = sifted.get(number, {})
        records.append(
            StageRecord(
                number=number + 1,
                potential=forms[number] or stage.potential.model_dump(mode="json"),
                keep_sigmas=stage.keep_sigmas,
                window_eV=config.final.metastable_eV,
                entered=sum(sum(states.values()) for at, states in counts.items() if at >= number),
                relaxed=len(level.ids),
                kept=end.get("kept"),
                sigma_eV=end.get("sigma_eV"),
                labels=kinds[number],
                versions=len(fits_s),
                relaxation_s=relaxation_s[number],
                fit_s=sum(fits_s),
                energies=level.energies,
            )
        )
    return records


def _relaxation_s(store: Store, campaign: str) -> Counter[int]:
    """Wall time of the relaxations with potentials, by stage."""
    stages = {event["round"]: event["stage"] for event in store.events.find(campaign, "selected")}
    present = store.campaigns.get(campaign).get("stage", 0)
    seconds: Counter[int] = Counter()
    for chunk in store.chunks.finished(campaign):
        if chunk["task"] == ChunkTask.RELAX:
            seconds[stages.get(chunk["round"], present)] += chunk["seconds"]
    return seconds


def _final(store: Store, campaign: str, labels: Sequence[LabelRecord], stage_count: int) -> FinalRecord:
    states = store.candidates.counts(campaign).get(stage_count, {})
    relaxations = [label for label in labels if label.kind == LabelKind.FINAL]
    return FinalRecord(
        entered=sum(states.values()),
        relaxed=states.get(CandidateState.FINAL, 0),
        failed=states.get(CandidateState.DROPPED, 0),
        evaluations=_evaluations(relaxations),
        seconds=_wall_s(relaxations),
    )


def _work(
    labels: Sequence[LabelRecord], stages: Sequence[StageRecord], final: FinalRecord
) -> list[WorkRecord]:
    training = [label for label in labels if label.kind != LabelKind.FINAL]
    return [
        WorkRecord(FINAL, final.seconds, final.evaluations),
        WorkRecord(TRAINING, _wall_s(training), _evaluations(training)),
        WorkRecord(POTENTIALS, sum(stage.relaxation_s + stage.fit_s for stage in stages), 0),
    ]


def _evaluations(labels: Sequence[LabelRecord]) -> int:
    """Number of QM energies with forces; a failed relaxation counts as one, because it reports no number."""
    return sum(label.evaluations for label in labels if label.state.is_ended)


def _wall_s(labels: Sequence[LabelRecord]) -> float:
    return sum(label.wall_time_s or 0.0 for label in labels)


def _dropped(store: Store, campaign: str) -> list[DropRecord]:
    counts: Counter[tuple[int, Dropped]] = Counter()
    examples: dict[tuple[int, Dropped], str] = {}
    for candidate in store.candidates.dropped(campaign):
        key = (candidate["stage"], Dropped(candidate["dropped"]))
        counts[key] += 1
        examples.setdefault(key, f"{candidate['name']}: {candidate['reason']}")
    return [
        DropRecord(stage + 1, why, counts[stage, why], examples[stage, why]) for stage, why in sorted(counts)
    ]
