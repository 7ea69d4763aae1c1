from __future__ import annotations

import subprocess
import sys
from datetime import UTC, timedelta

import pytest
from ase.build import bulk

from alflow.states import LabelKind
from alflow.store import Store
from alflow.store.leased_work import POLL_S, new_lease, wait_for
from alflow.store.times import now
from workflows.active_learning.schema import ActiveLearning


def test_one_holder_at_a_time(store: Store, campaign: ActiveLearning) -> None:
    store.campaigns.create(campaign)
    with store.campaigns.leased("cu") as first:
        assert first
        with store.campaigns.leased("cu") as second:
            assert not second
    with store.campaigns.leased("cu") as third:
        assert third


def test_an_old_lease_is_free(store: Store, campaign: ActiveLearning) -> None:
    store.campaigns.create(campaign)
    store.campaigns.collection.update_one({}, {"$set": {"lease": new_lease(seconds=-1)}})
    with store.campaigns.leased("cu") as mine:
        assert mine


def test_only_leases_of_vanished_processes_are_broken(store: Store, campaign: ActiveLearning) -> None:
    store.campaigns.create(campaign)
    collection = store.campaigns.collection
    collection.update_one({}, {"$set": {"lease": new_lease()}})
    assert store.campaigns.break_dead_leases("cu") == 0
    collection.update_one({}, {"$set": {"lease.process_started": 1.0}})  # the number went to another process
    assert store.campaigns.break_dead_leases("cu") == 1
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    collection.update_one({}, {"$set": {"lease": new_lease() | {"pid": int(gone.stdout)}}})
    assert store.campaigns.break_dead_leases("cu") == 1
    elsewhere = new_lease() | {"pid": int(gone.stdout), "host": "another-node"}
    collection.update_one({}, {"$set": {"lease": elsewhere}})
    assert store.campaigns.break_dead_leases("cu") == 0


def test_a_label_whose_worker_always_dies_is_given_up(store: Store) -> None:
    configuration = store.configurations.add(bulk("Cu"), {})
    label = store.labels.request(
        configuration, {"code": "x"}, campaign="cu", round_=0, number=1, kind=LabelKind.INITIAL
    )
    claims = 0
    while store.labels.claim(label) is not None:
        claims += 1
        store.labels.collection.update_one({}, {"$set": {"lease.until": now() - timedelta(seconds=1)}})
    document = store.labels.get(label)
    assert claims == 5
    assert document["state"] == "failed"
    assert "the worker died" in document["reason"]


def test_a_lease_is_renewed_while_the_work_lasts(store: Store, campaign: ActiveLearning) -> None:
    store.campaigns.create(campaign)
    claimed = store.campaigns.claim("cu")
    assert claimed is not None
    old = now() - timedelta(seconds=1)
    store.campaigns.collection.update_one({}, {"$set": {"lease.until": old}})
    with store.campaigns.work.held(claimed, seconds=0.01):
        while store.campaigns.get("cu")["lease"]["until"].replace(tzinfo=UTC) <= now():
            pass
    assert store.campaigns.claim("cu") is None
    store.campaigns.work.release(claimed)
    assert store.campaigns.claim("cu") is not None


def test_a_worker_that_lost_its_lease_cannot_write(store: Store, campaign: ActiveLearning) -> None:
    store.campaigns.create(campaign)
    work = store.campaigns.work
    first = store.campaigns.claim("cu")
    assert first is not None
    store.campaigns.collection.update_one({}, {"$set": {"lease.until": now() - timedelta(seconds=1)}})
    second = store.campaigns.claim("cu")
    assert second is not None
    token = first["lease"]["token"]
    assert not work.update(first["_id"], token, {"$set": {"barren": 7}})
    assert not work.finish(first["_id"], token, {"barren": 7})
    work.release(first)
    assert store.campaigns.claim("cu") is None
    assert work.finish(second["_id"], second["lease"]["token"], {"barren": 2}, inc={"quiet": 1})
    document = store.campaigns.get("cu")
    assert (document["barren"], document["quiet"], document["lease"]) == (2, 1, None)


def test_waiting_ends_with_the_claim_or_with_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("alflow.store.leased_work.time.sleep", pauses.append)
    claims = iter([None, None, "mine"])
    assert wait_for(lambda: next(claims)) == "mine"
    assert pauses == [POLL_S, POLL_S]
    ends = iter([False, True])
    assert wait_for(lambda: None, lambda: next(ends)) is None
    assert pauses == [POLL_S] * 3
