"""What all kinds of campaigns share, on a kind that adds nothing."""

from __future__ import annotations

from typing import Any

import pytest

from alflow.campaign.file import parse_campaign
from alflow.potentials.estimates import Estimate, EstimatedErrors
from alflow.results import Overview, RoundRecord, read_overview
from alflow.results.rounds import read_rounds, rounds_table
from alflow.results.validation import FEWEST_FRAMES, ValidationRecord
from alflow.states import CampaignState, LabelState
from alflow.store import Store

CAMPAIGN: dict[str, Any] = {
    "name": "cu",
    "species": ["Cu"],
    "structures": [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61}}],
    "potential": {"level": 4, "cutoff_A": 4.0},
    "explorers": [{"name": "md", "structure": "fcc", "temperature_K": 300, "steps": 10}],
    "qm": {"interface": "mock"},
}


@pytest.fixture
def begun(store: Store) -> Store:
    store.campaigns.create(parse_campaign(CAMPAIGN))
    return store


def look(store: Store, exploring: str | None = None) -> Overview:
    return read_overview(store, store.campaigns.get("cu"), exploring=exploring)


def test_a_round_waits_for_runs_then_selection_then_training(begun: Store) -> None:
    assert look(begun, exploring="explorers md").waits_for == "explorers md"
    assert look(begun).waits_for == "selection"
    begun.events.add("cu", "selected-0", "selected", 0, candidates=0, labels=[], grades=[])
    assert look(begun, exploring="explorers md").waits_for == "training"


def test_a_campaign_that_has_ended_waits_for_nothing(begun: Store) -> None:
    begun.campaigns.end("cu", CampaignState.STOPPED, "max_rounds = 0 is reached")
    found = look(begun)
    assert (found.waits_for, found.situation) == ("nothing", "max_rounds = 0 is reached")


def test_a_kind_that_adds_nothing_has_rounds_and_cost(begun: Store) -> None:
    found = look(begun)
    assert [table.title for table in found.tables()] == ["Rounds", "Cost"]
    assert found.subtitle == "round 0 · 0 CPU h"
    assert found.label_counts == "labels: none yet"
    assert set(found.labels) == set(LabelState)
    assert found.as_dict()["cost"]["train"] == {"processor_s": 0.0, "wall_s": 0.0, "waiting_s": 0.0}


def test_work_stands_among_the_columns_of_a_round() -> None:
    row = RoundRecord(3, 5, 2.5, 2, 1, 4, 0.001, 0.1, "learning", 1, {"relaxed": 7})
    columns = {"round": "round", "relaxed": "relaxed", "energy_rmse_eV_per_atom": "E"}
    table = rounds_table([row, row], columns, newest=1)
    assert table.rows == [[3, 7, 1.0]]
    assert table.columns == ("round", "relaxed", "E")


def test_the_validation_error_of_few_frames_is_not_told() -> None:
    estimate = Estimate(0.04, 0.03, 0.05)
    few, enough = (
        ValidationRecord(2, 3, EstimatedErrors(frames, *[estimate] * 6)) for frames in (FEWEST_FRAMES - 1, 5)
    )
    assert few.in_words == "validation: too few frames yet (4)"
    assert enough.in_words == "validation 0.040 (0.030–0.050) eV/Å, 40 (30–50) meV/atom, 5 frames"


def test_rounds_have_the_validation_error_that_was_known_then(begun: Store) -> None:
    assert "validation eV/Å" not in rounds_table(read_rounds(begun, "cu")).columns
    for round_, frames in enumerate((1, 6)):
        begun.events.add("cu", f"selected-{round_}", "selected", round_, candidates=0, labels=[], grades=[])
        errors = EstimatedErrors(frames, *[Estimate(0.04, 0.03, 0.05)] * 6).as_dict()
        begun.events.add("cu", f"validated-{round_}", "validated", round_, version=1, errors=errors)
    found = read_rounds(begun, "cu")
    assert [row.validation_force_rmse_eV_A for row in found] == [None, 0.04]
    assert "validation eV/Å" in rounds_table(found, newest=1).columns
