from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from alflow.store import Store
from alflow.store.times import now


def test_there_are_so_many_slots_and_no_more(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = [slot for slot in pool.map(lambda _: store.slots.take("vasp", 3), range(8)) if slot]
    assert sorted(slot["_id"] for slot in taken) == ["vasp 1", "vasp 2", "vasp 3"]
    assert store.slots.all_taken("vasp", 3)
    assert not store.slots.all_taken("vasp", 4)
    assert store.slots.take("espresso", 1) is not None
    store.slots.give_back(taken[1])
    assert not store.slots.all_taken("vasp", 3)
    again = store.slots.take("vasp", 3)
    assert again is not None
    assert again["_id"] == taken[1]["_id"]


def test_a_slot_that_was_lost_is_not_given_back_for_its_next_holder(store: Store) -> None:
    first = store.slots.take("vasp", 1)
    assert first is not None
    store.slots.work.collection.update_one({}, {"$set": {"lease.until": now() - timedelta(seconds=1)}})
    assert store.slots.take("vasp", 1) is not None
    store.slots.give_back(first)
    assert store.slots.all_taken("vasp", 1)


def test_the_slot_of_a_dead_process_is_free(store: Store) -> None:
    assert store.slots.take("vasp", 1) is not None
    store.slots.work.collection.update_one({}, {"$set": {"lease.process_started": 1.0}})
    assert not store.slots.all_taken("vasp", 1)
    assert store.slots.take("vasp", 1) is not None
