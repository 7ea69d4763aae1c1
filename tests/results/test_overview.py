"""What all kinds of campaigns share, on a kind that adds nothing."""

from __future__ import annotations

from typing import Any

import pytest

from alflow.campaign.file import parse_campaign
from alflow.results import Overview, RoundRecord, read_overview
from alflow.results.rounds import rounds_table
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
