"""Databases of earlier releases: after opening, every document is as today's release writes it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bson import BSON
from old_databases import EXPECTED, load
from pymongo.database import Database

from alflow.errors import InputError
from alflow.explorers import EXPLORERS
from alflow.states import ChunkTask, Dropped, LabelKind, Role
from alflow.store import Store
from alflow.store.campaigns import SCHEMA_VERSION
from alflow.store.cost import costs_of, total
from alflow.store.migrations import bring_up_to_date

MD = [name for name in EXPECTED if name.startswith("md")]
SCREENINGS = [name for name in EXPECTED if name.startswith("screening")]
MIGRATED = ("campaigns", "labels", "candidates", "chunks", "events", "explorers", "potentials")

AnyDatabase = Database[dict[str, Any]]


def content(database: AnyDatabase) -> dict[str, list[bytes]]:
    """All documents that a migration may change, but for the frames in GridFS; as BSON, where NaN = NaN."""
    return {name: [BSON.encode(d) for d in database[name].find().sort("_id", 1)] for name in MIGRATED}


def opened(name: str, database: AnyDatabase) -> tuple[Store, str]:
    load(name, database)
    return Store(database), EXPECTED[name]["campaign"]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_campaign_has_its_kind_its_schema_and_its_cost(database: AnyDatabase, name: str) -> None:
    load(name, database)
    (old,) = database["campaigns"].find()
    fits_s = sum(potential["seconds"] for potential in database["potentials"].find())
    store = Store(database)
    campaign = store.campaigns.get(old["name"])
    assert campaign["schema_version"] == SCHEMA_VERSION
    assert store.campaigns.config(old["name"]).kind == ("active-learning" if name in MD else "hull-screening")
    assert "cpu_seconds" not in campaign
    assert total(costs_of(campaign)).processor_s == pytest.approx(old["cpu_seconds"])
    assert costs_of(campaign)[Role.TRAIN].wall_s == pytest.approx(fits_s)
    assert {key: campaign[key] for key in ("state", "round", "created")} == {
        key: old[key] for key in ("state", "round", "created")
    }
    assert {potential["kind"] for potential in store.potentials.history(old["name"])} == {"mtp"}


@pytest.mark.parametrize("name", EXPECTED)
def test_labels_have_the_kind_that_their_configurations_were_stored_with(
    database: AnyDatabase, name: str
) -> None:
    store, campaign = opened(name, database)
    labels = store.labels.find(campaign)
    compared = 0
    for label in labels:
        assert LabelKind(label["kind"]).is_held_out or not label["held_out"]
        assert (label["stage"] is None) == (name in MD)
        source = store.configurations.get(label["configuration"])["source"]
        if source["round"] == label["round"]:
            compared += 1
            assert source["kind"] == label["kind"]
            assert source.get("stage", label["stage"]) == label["stage"]
    assert compared > len(labels) / 2
    assert {label["kind"] for label in labels if label["relaxation"]} <= {LabelKind.FINAL}


@pytest.mark.parametrize("name", MD)
def test_runs_are_those_of_the_campaign_file(database: AnyDatabase, name: str) -> None:
    store, campaign = opened(name, database)
    explorer = EXPLORERS.get("md")
    for run in store.explorers.collection.find({"campaign": campaign}):
        assert (run["kind"], run["version"], run["results"]) == ("md", None, {})
        settings = explorer.RunSettings.model_validate(run["settings"])
        assert settings.model_dump()["steps"] == run["steps"]
        assert [len(atoms) for atoms in store.explorers.start_structures(run)] == [4]
    frames = {
        event["round"]: len(store.explorers.candidates(campaign, event["round"]))
        for event in store.events.find(campaign, "selected")
        if event["round"] > 0
    }
    counted = {
        event["round"]: event["candidates"]
        for event in store.events.find(campaign, "selected")
        if event["round"] > 0
    }
    assert frames == counted
    assert sum(frames.values()) > 0
    assert store.events.find(campaign, "selected")[0].get("phase") is None


@pytest.mark.parametrize("name", SCREENINGS)
def test_rounds_of_a_screening_have_phase_and_stage(database: AnyDatabase, name: str) -> None:
    store, campaign = opened(name, database)
    rounds = [(e["phase"], e["stage"]) for e in store.events.find(campaign, "selected")]
    assert rounds[0] == ("gathering", 0)
    order = list(dict.fromkeys(rounds))
    whole = [
        ("gathering", 0),
        *((phase, stage) for stage in (0, 1) for phase in ("learning", "validation")),
        ("final", 2),
    ]
    assert order == whole[: len(order)]
    if name == "screening_finished":
        assert order == whole
    sifted = {event["round"] for event in store.events.find(campaign, "sifted")}
    assert {number for number, (phase, _) in enumerate(rounds) if phase == "validation"} == sifted


@pytest.mark.parametrize("name", SCREENINGS)
def test_chunks_and_candidates_say_what_happened(database: AnyDatabase, name: str) -> None:
    store, campaign = opened(name, database)
    for chunk in store.chunks.collection.find({"campaign": campaign}):
        assert (chunk["task"] == ChunkTask.GATHER) == (chunk["round"] == 0)
    words = {
        Dropped.DUPLICATE: "same crystal",
        Dropped.NOT_LABELLED: "cannot be labelled",
        Dropped.NOT_RELAXED: "volume has changed",
        Dropped.ABOVE_HULL: "eV/atom above the hull",
    }
    reasons: Counter[Dropped] = Counter()
    for candidate in store.candidates.find(campaign):
        assert (candidate["dropped"] is not None) == (candidate["state"] == "dropped")
        if candidate["dropped"] is not None:
            reasons[Dropped(candidate["dropped"])] += 1
            assert words[Dropped(candidate["dropped"])] in candidate["reason"]
    print(reasons)
    assert len(reasons) >= 2


@pytest.mark.parametrize("name", EXPECTED)
def test_a_second_time_changes_nothing(database: AnyDatabase, name: str) -> None:
    opened(name, database)
    once = content(database)
    database["campaigns"].update_many({}, {"$unset": {"schema_version": ""}})
    Store(database)
    assert content(database) == once


def test_two_processes_at_once(database: AnyDatabase) -> None:
    load("md_mid_round", database)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: bring_up_to_date(database), range(2)))
    both = content(database)
    assert database["campaigns"].count_documents({"schema_version": SCHEMA_VERSION}) == 1
    Store(database)
    assert content(database) == both


def test_a_newer_database_is_refused_in_one_sentence(database: AnyDatabase) -> None:
    store, campaign = opened("md_finished", database)
    store.campaigns.collection.update_one({}, {"$set": {"schema_version": SCHEMA_VERSION + 1}})
    with pytest.raises(InputError) as refused:
        Store(database)
    assert str(refused.value) == (
        f"campaign {campaign!r} was stored by a newer alflow (schema {SCHEMA_VERSION + 1}; this one knows "
        f"{SCHEMA_VERSION}): upgrade alflow here"
    )


def test_a_new_database_and_a_present_one_are_left_alone(database: AnyDatabase) -> None:
    bring_up_to_date(database)
    assert database.list_collection_names() == []
