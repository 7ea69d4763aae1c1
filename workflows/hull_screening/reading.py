"""Collect the results of a screening from the store."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.hull import element_energies, formation_energies, hull_distances
from alflow.report.crystals import SYMMETRY_TOLERANCE_A, distinct, reduced_formula, space_group
from alflow.report.gather import software
from alflow.report.hull_data import (
    FINAL,
    MTP,
    QM,
    TRAINING,
    Compound,
    CostRecord,
    DropRecord,
    EnergySet,
    FinalRecord,
    HullData,
    StageRecord,
)

WINDOW_EV = 0.025
SAME = "is the same crystal"
ENDED = ("done", "failed", "rejected")
GATHERED, REPEATED, UNLABELLED, ABOVE, UNRELAXED, QM_FAILED = (
    "set aside at gathering",
    "the same crystal as an earlier one",
    "cannot be labelled",
    "above the hull",
    "not relaxed by the potential",
    "not relaxed by QM",
)


def gather_hull(store: Any, campaign: str, window_eV: float | None = None) -> HullData:
    """Everything that is shown of a screening, as far as it is.

    Parameters
    ----------
    store
        An `alflow.store.Store`.
    campaign
        Name of the campaign.
    window_eV
        Distance to the hull up to which crystals are listed, per atom; default: `WINDOW_EV`, or the
        campaign's `final.metastable_eV` if that is more.

    Raises
    ------
    InputError
        There is no campaign of this name, or it is none of candidates; spglib is not installed.
    """
    document = store.campaigns.get(campaign)
    config = document["config"]
    if "candidates" not in config:
        raise InputError(
            f"campaign {campaign!r} is one of molecular dynamics, which has no hull; `alflow report` shows it"
        )
    species, stage_count = config["species"], len(config["stages"])
    complete_eV = config["final"]["metastable_eV"]
    window_eV = max(complete_eV, WINDOW_EV) if window_eV is None else window_eV
    labels = store.labels.find(campaign)
    levels = [_level(store, campaign, stage, len(species)) for stage in range(stage_count + 1)]
    stages = _stages(store, document, labels, levels)
    final = _final(store, campaign, labels, stage_count)
    shown = _shown(levels, [stage.kept is not None for stage in stages])
    return HullData(
        campaign=campaign,
        state=document["state"],
        reason=document["reason"],
        phase=document.get("phase", "gathering"),
        stage=document.get("stage", 0),
        rounds=document["round"],
        began=document["created"],
        ended=document.get("ended"),
        species=species,
        window_eV=window_eV,
        complete_eV=complete_eV,
        symmetry_tolerance_A=SYMMETRY_TOLERANCE_A,
        hull_of=None if shown is None else _name_of(shown, stage_count),
        compounds=[] if shown is None else _compounds(store, species, levels[shown], window_eV),
        energies=EnergySet.empty(len(species)) if shown is None else levels[shown].energies,
        stages=stages,
        final=final,
        dropped=_dropped(store, campaign, stage_count),
        cost=_cost(labels, stages, final),
        total_s=document["cpu_seconds"],
        levels=list({label["level_hash"]: label["level"] for label in labels}.values()),
        config=config,
        software=software(labels),
    )


class _Level(NamedTuple):
    """Candidates with an energy (eV per atom) of a stage's potential or, after the last stage, of QM."""

    ids: list[Any]
    energies_eV: NDArray[np.float64]
    energies: EnergySet  # empty where an element is missing


def _level(store: Any, campaign: str, stage: int, species: int) -> _Level:
    ids, fractions, energies_eV = store.candidates.energies(campaign, stage)
    if not len(ids) or not (fractions == 1).any(axis=0).all():
        return _Level(ids, energies_eV, EnergySet.empty(species))
    formation_eV = formation_energies(fractions, energies_eV, element_energies(fractions, energies_eV))
    energies = EnergySet(fractions, formation_eV, hull_distances(fractions, energies_eV))
    return _Level(ids, energies_eV, energies)


def _shown(levels: Sequence[_Level], sifted: Sequence[bool]) -> int | None:
    """QM where it has all elements, else the last stage that is done, else the last that has all elements."""
    known = [index for index, level in enumerate(levels) if level.energies.formation_eV.size]
    complete = [index for index in known if index == len(sifted) or sifted[index]]
    return max(complete or known, default=None)


def _name_of(level: int, stage_count: int) -> str:
    return QM if level == stage_count else f"the potential of stage {level + 1}"


def _compounds(store: Any, species: Sequence[str], level: _Level, window_eV: float) -> list[Compound]:
    """Each crystal within the window once."""
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
    store: Any, document: Mapping[str, Any], labels: Sequence[Mapping[str, Any]], levels: Sequence[_Level]
) -> list[StageRecord]:
    name = document["name"]
    sifted = {event["round"]: event for event in store.events.find(name, "sifted")}
    counts = store.candidates.counts(name)
    settings = document["config"]["stages"]

    def stage_of(round_: int) -> int:
        ends = [event["stage"] for end, event in sorted(sifted.items()) if end >= round_]
        return ends[0] if ends else document.get("stage", 0)

    validating = set(sifted) | ({document["round"]} if document.get("phase") == "validation" else set())
    kinds: dict[int, Counter[str]] = defaultdict(Counter)
    for label in labels:
        kind = _training_kind(label, validating)
        if kind is not None:
            kinds[stage_of(label["round"])][kind] += 1
    relaxation_s: Counter[int] = Counter()
    for chunk in store.chunks.finished(name):
        if "relaxed" in chunk:
            relaxation_s[stage_of(chunk["round"])] += chunk["seconds"]
    versions = store.potentials.history(name)
    records = []
    for stage, (config, level) in enumerate(zip(settings, levels, strict=False)):
        own = [version["seconds"] for version in versions if version["stage"] == stage]
        end = max((event for event in sifted.values() if event["stage"] == stage), key=_round, default=None)
        records.append(
            StageRecord(
                number=stage + 1,
                level=config["potential"]["level"],
                cutoff_A=config["potential"]["cutoff_A"],
                keep_sigmas=config["keep_sigmas"],
                window_eV=document["config"]["final"]["metastable_eV"],
                entered=sum(sum(states.values()) for at, states in counts.items() if at >= stage),
                relaxed=len(level.ids),
                kept=None if end is None else end["kept"],
                sigma_eV=None if end is None else end["sigma_eV"],
                labels=kinds[stage],
                versions=len(own),
                relaxation_s=relaxation_s[stage],
                fit_s=sum(own),
                energies=level.energies,
            )
        )
    return records


def _round(event: Mapping[str, Any]) -> int:
    return event["round"]


def _training_kind(label: Mapping[str, Any], validating: set[int]) -> str | None:
    """What a label was asked for, None for a final relaxation.

    By its round, not by the source of its configuration, which another kind of request may have met first.
    """
    if label["relaxation"] is not None:
        return None
    if label["round"] in validating:
        return "validation"
    return "extrapolative" if label["round"] else "initial"


def _final(store: Any, campaign: str, labels: Sequence[Mapping[str, Any]], stage_count: int) -> FinalRecord:
    states = store.candidates.counts(campaign).get(stage_count, {})
    relaxations = [label for label in labels if label["relaxation"] is not None]
    return FinalRecord(
        entered=sum(states.values()),
        relaxed=states.get("final", 0),
        failed=states.get("dropped", 0),
        evaluations=_evaluations(relaxations),
        seconds=_seconds(relaxations),
    )


def _cost(
    labels: Sequence[Mapping[str, Any]], stages: Sequence[StageRecord], final: FinalRecord
) -> list[CostRecord]:
    training = [label for label in labels if label["relaxation"] is None]
    return [
        CostRecord(FINAL, final.seconds, final.evaluations),
        CostRecord(TRAINING, _seconds(training), _evaluations(training)),
        CostRecord(MTP, sum(stage.relaxation_s + stage.fit_s for stage in stages), 0),
    ]


def _evaluations(labels: Sequence[Mapping[str, Any]]) -> int:
    """QM energies with forces that were computed; a failed relaxation counts as one, as it does not tell."""
    ended = [label for label in labels if label["state"] in ENDED]
    return sum((label.get("details") or {}).get("evaluations", 1) for label in ended)


def _seconds(labels: Sequence[Mapping[str, Any]]) -> float:
    return sum(label.get("wall_time_s") or 0.0 for label in labels)


def _dropped(store: Any, campaign: str, stage_count: int) -> list[DropRecord]:
    counts: Counter[tuple[int, str]] = Counter()
    examples: dict[tuple[int, str], str] = {}
    fields = {"name": 1, "stage": 1, "round": 1, "reason": 1}
    for candidate in store.candidates.collection.find({"campaign": campaign, "state": "dropped"}, fields):
        key = (candidate["stage"], _why(candidate, stage_count))
        counts[key] += 1
        examples.setdefault(key, f"{candidate['name']}: {candidate['reason']}")
    return [
        DropRecord(stage + 1, why, counts[stage, why], examples[stage, why]) for stage, why in sorted(counts)
    ]


def _why(candidate: Mapping[str, Any], stage_count: int) -> str:
    reason = candidate["reason"] or ""
    if candidate["stage"] == stage_count:
        return QM_FAILED
    if candidate["stage"] == candidate["round"] == 0:
        return REPEATED if SAME in reason else GATHERED
    if reason.startswith(UNLABELLED):
        return UNLABELLED
    return ABOVE if ABOVE in reason else UNRELAXED
