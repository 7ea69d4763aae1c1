"""Campaigns of earlier releases are taken up, also when the migration is killed, and come to the same end."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import BSON
from lives import KILLED, DieAtWrite
from old_databases import EXPECTED, load
from pymongo import MongoClient, monitoring
from pymongo.database import Database

from alflow.store import Store
from alflow.store.migrations import bring_up_to_date
from workflows.launchpad import open_launchpad
from workflows.local import ROLES, work
from workflows.recovery import recover
from workflows.submission import submit

MIGRATED = ("campaigns", "labels", "candidates", "chunks", "events", "explorers", "potentials")
SAME_EV = 1e-4


@pytest.fixture
def second(database: Database[dict[str, Any]]) -> Iterator[Database[dict[str, Any]]]:
    """Another empty database, to compare with."""
    other = database.client[f"{database.name}_second"]
    yield other
    database.client.drop_database(other.name)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_comes_to_the_same_end(
    database: Database[dict[str, Any]],
    database_uri: str,
    labels_in_process: list[str],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    load(name, database)
    launchpad = open_launchpad(database_uri, database.name)
    store, expected = Store(database), EXPECTED[name]
    campaign = expected["campaign"]
    done_before = {f"label-{label}" for label in store.labels.done(campaign)}
    submit(store, launchpad, store.campaigns.config(campaign))
    recover(store, launchpad, campaign, patience_s=0.0)
    work(launchpad, ROLES, keep_going=lambda: store.campaigns.get(campaign)["state"] == "running")
    launchpad.connection.close()

    end = store.campaigns.get(campaign)
    assert (end["state"], end["reason"]) == (expected["state"], expected["reason"])
    assert store.labels.counts(campaign) == expected["labels"]
    assert not done_before & set(labels_in_process)
    assert len(store.events.find(campaign, "selected")) == expected["rounds"]
    assert store.potentials.latest(campaign)["version"] == expected["potentials"]
    if "explorers" in expected:
        runs = {
            run["name"]: {key: run[key] for key in ("state", "step")} for run in store.explorers.all(campaign)
        }
        assert runs == expected["explorers"]
    else:
        last = str(len(end["config"]["stages"]))
        hull = store.candidates.find(campaign, state="final", above_hull=0)
        found = {candidate["name"]: candidate["energies"][last] for candidate in hull}
        assert found == pytest.approx(expected["hull_eV"], abs=SAME_EV)
        counts = {str(stage): states for stage, states in store.candidates.counts(campaign).items()}
        assert counts == expected["candidates"]


@pytest.mark.parametrize("name", ["md_mid_round", "screening_second_stage"])
def test_a_migration_may_be_killed_at_any_write(
    database: Database[dict[str, Any]], second: Database[dict[str, Any]], database_uri: str, name: str
) -> None:
    load(name, database)
    load(name, second)
    bring_up_to_date(second)
    exits, writes = [], 1
    while not exits or exits[-1] == KILLED:
        exits.append(_migrate_and_die(database_uri, database.name, writes))
        writes += 3  # a life that does again what was done writes little, so all of it is reached
    assert exits.count(KILLED) > 3
    assert exits[-1] == 0
    assert _content(database) == _content(second)
    campaign = EXPECTED[name]["campaign"]
    stores = [Store(each) for each in (database, second)]
    frames = [[atoms for r in range(12) for atoms in s.explorers.candidates(campaign, r)] for s in stores]
    assert frames[0] == frames[1]


def _content(database: Database[dict[str, Any]]) -> dict[str, list[bytes]]:
    return {name: [BSON.encode(d) for d in database[name].find().sort("_id", 1)] for name in MIGRATED}


def _migrate_and_die(uri: str, name: str, writes: int) -> int | None:
    process = multiprocessing.get_context("fork").Process(target=_migrate, args=(uri, name, writes))
    process.start()
    process.join()
    return process.exitcode


def _migrate(uri: str, name: str, writes: int) -> None:
    monitoring.register(DieAtWrite(writes))
    bring_up_to_date(MongoClient[dict[str, Any]](uri)[name])
