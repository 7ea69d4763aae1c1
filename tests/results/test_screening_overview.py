from __future__ import annotations

import pytest
from stored_screening import CONFIG, NAME, fill

from alflow.campaign.file import parse_campaign
from alflow.results import Overview
from alflow.states import CandidateState
from alflow.store import Store
from workflows.hull_screening.overview import Stages, overview
from workflows.hull_screening.phase import Phase


def look(store: Store) -> tuple[Overview, Stages]:
    found = overview(store, store.campaigns.get(NAME))
    assert isinstance(found.part, Stages)
    return found, found.part


def test_a_screening_that_is_gathering(store: Store) -> None:
    store.campaigns.create(parse_campaign(CONFIG))
    found, part = look(store)
    assert (found.kind, part.phase, found.waits_for) == (
        "hull-screening",
        Phase.GATHERING,
        "candidates to be gathered",
    )
    assert found.subtitle == "gathering · round 0 · 0 CPU h"
    assert [stage.entered for stage in part.stages] == [0, 0, 0]


def test_a_screening_that_learns(store: Store) -> None:
    fill(store, finished=False)
    found, part = look(store)
    assert found.waits_for == "2 chunks of candidates to be relaxed"
    assert found.subtitle == "learning, stage 2 · round 3 · 0.0167 CPU h"
    first, second, last = part.stages
    assert (first.entered, first.sigma_eV, first.kept) == (10, 0.01, 7)
    assert first.states == {CandidateState.DROPPED: 3}
    assert (first.potential, second.potential) == ("level 4, cutoff 4 Å", "level 6, cutoff 4.5 Å")
    assert (second.entered, second.states, second.sigma_eV) == (7, {CandidateState.WAITING: 7}, None)
    assert (last.stage, last.potential, last.entered) == ("QM", None, 0)
    for number in (0, 1):
        claimed = store.chunks.claim(NAME, 3, number)
        assert claimed is not None
        store.chunks.finish(claimed, seconds=1.0, relaxed=3, paused=1, dropped=0)
    assert look(store)[0].waits_for == "selection"


def test_a_screening_that_is_done(store: Store) -> None:
    fill(store)
    found, part = look(store)
    assert found.waits_for == "nothing"
    assert [(row.round, row.phase, row.stage, row.work["relaxed"], row.done) for row in found.rounds] == [
        (0, "gathering", 0, 0, 2),
        (1, "learning", 0, 8, 1),
        (2, "validation", 0, 0, 3),
        (3, "learning", 1, 7, 0),
        (4, "validation", 1, 0, 2),
        (5, "final", 2, 0, 6),
    ]
    assert found.rounds[1].gamma_max == 20.0
    assert part.stages[2].states[CandidateState.FINAL] == 6


def test_the_document_of_a_screening(store: Store) -> None:
    fill(store)
    document = look(store)[0].as_dict()
    assert document["cpu_hours"] == pytest.approx(60 / 3600)
    assert document["cost"]["label"] == {"processor_s": 48.0, "wall_s": 44.0, "waiting_s": 12.0}
    assert (document["phase"], document["stage"]) == ("final", 3)
    assert document["stages"][0]["dropped"] == 3
    assert document["rounds"][1]["relaxed"] == 8
    assert document["labels"]["failed"] == 1


def test_the_tables_of_a_screening(store: Store) -> None:
    fill(store)
    stages, rounds, cost = look(store)[0].tables(newest_rounds=2)
    assert stages.rows[0] == ("1", 10, 0, 0, 0, 3, 7, 10.0)
    assert [row[0] for row in rounds.rows] == [4, 5]
    assert cost.rows[1] == ("label", 48.0, 44.0, 12.0)
