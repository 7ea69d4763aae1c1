from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

from ase.build import bulk

from alflow.campaign.kinds import CampaignSettings
from alflow.states import LabelKind
from alflow.store import Store
from alflow.store.leased_work import new_lease
from alflow.store.times import now


def test_one_holder_at_a_time(store: Store, campaign: CampaignSettings) -> None:
    store.campaigns.create(campaign)
    with store.campaigns.leased("cu") as first:
        assert first
        with store.campaigns.leased("cu") as second:
            assert not second
    with store.campaigns.leased("cu") as third:
        assert third


def test_an_old_lease_is_free(store: Store, campaign: CampaignSettings) -> None:
    store.campaigns.create(campaign)
    store.campaigns.collection.update_one({}, {"$set": {"lease": new_lease(seconds=-1)}})
    with store.campaigns.leased("cu") as mine:
        assert mine


def test_only_leases_of_vanished_processes_are_broken(store: Store, campaign: CampaignSettings) -> None:
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
