from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from bson import ObjectId

from alflow.states import ChunkTask
from alflow.store import Store
from alflow.store.times import now


def test_members_come_back_in_order(store: Store) -> None:
    members = [[ObjectId() for _ in range(count)] for count in (3, 1, 0)]
    store.chunks.create("a", 2, members, task=ChunkTask.RELAX)
    chunks = [store.chunks.get("a", 2, number) for number in range(3)]
    assert [store.chunks.members(chunk) for chunk in chunks if chunk is not None] == members
    assert store.chunks.get("a", 2, 3) is None
    assert store.chunks.get("a", 1, 0) is None


def test_a_chunk_that_is_there_stays_as_it_is(store: Store) -> None:
    first, second = [ObjectId()], [ObjectId()]
    store.chunks.create("a", 1, [first], task=ChunkTask.RELAX)
    store.chunks.create("a", 1, [second, second], task=ChunkTask.RELAX)
    chunks = [store.chunks.get("a", 1, number) for number in range(2)]
    assert [store.chunks.members(chunk) for chunk in chunks if chunk is not None] == [first, second]
    store.chunks.create("a", 2, [], task=ChunkTask.RELAX)
    assert store.chunks.unfinished("a", 2) == []


def test_a_chunk_is_claimed_once(store: Store) -> None:
    store.chunks.create("a", 1, [[]], task=ChunkTask.RELAX)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: store.chunks.claim("a", 1, 0), range(8)))
    assert sum(claim is not None for claim in claims) == 1


def test_a_chunk_is_claimed_again_once_its_lease_has_ended(store: Store) -> None:
    store.chunks.create("a", 1, [[]], task=ChunkTask.RELAX)
    first = store.chunks.claim("a", 1, 0)
    assert first is not None
    store.chunks.collection.update_one({}, {"$set": {"lease.until": now() - timedelta(seconds=1)}})
    second = store.chunks.claim("a", 1, 0)
    assert second is not None
    assert not store.chunks.finish(first, relaxed=1)
    assert not store.chunks.is_finished("a", 1, 0)
    assert store.chunks.finish(second, relaxed=2)
    assert store.chunks.is_finished("a", 1, 0)
    assert store.chunks.claim("a", 1, 0) is None
    assert [chunk["relaxed"] for chunk in store.chunks.finished("a")] == [2]


def test_the_lease_of_a_vanished_process_is_broken(store: Store) -> None:
    store.chunks.create("a", 1, [[], []], task=ChunkTask.RELAX)
    for number in range(2):
        assert store.chunks.claim("a", 1, number) is not None
    assert store.chunks.break_dead_leases("a") == 0
    store.chunks.collection.update_one({"number": 1}, {"$set": {"lease.process_started": 1.0}})
    assert store.chunks.break_dead_leases("b") == 0
    assert store.chunks.break_dead_leases("a") == 1
    assert [store.chunks.claim("a", 1, number) is not None for number in range(2)] == [False, True]


def test_what_is_left_and_what_it_came_to(store: Store) -> None:
    store.chunks.create("a", 1, [[], [], []], task=ChunkTask.RELAX)
    store.chunks.create("b", 1, [[]], task=ChunkTask.RELAX)
    for number, seconds in ((2, 3.0), (0, 1.0)):
        chunk = store.chunks.claim("a", 1, number)
        assert chunk is not None
        assert store.chunks.finish(chunk, seconds=seconds)
    assert store.chunks.unfinished("a", 1) == [1]
    finished = store.chunks.finished("a")
    assert [(chunk["number"], chunk["seconds"]) for chunk in finished] == [(0, 1.0), (2, 3.0)]
    assert all("members" not in chunk for chunk in finished)
