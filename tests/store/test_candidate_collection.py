from __future__ import annotations

from typing import Any

import pytest
from ase.build import bulk
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alflow.states import CandidateState, Dropped
from alflow.store import Store
from alflow.store.candidates import order_of


def documents(count: int, first: int = 1) -> list[dict[str, Any]]:
    """Copper crystals; every tenth is set aside."""
    return [
        {
            "name": f"fcc {number}",
            "atoms": bulk("Cu", a=3.5 + 0.001 * number),
            "fractions": [1.0, 0.0] if number % 2 else [0.5, 0.5],
            **({} if number % 10 else {"dropped": Dropped.UNUSABLE, "reason": "overlaps"}),
        }
        for number in range(first, first + count)
    ]


def names(store: Store, ids: list[Any]) -> list[str]:
    return [candidate["name"] for candidate in store.candidates.get(ids)]


def test_a_candidate_is_inserted_once(store: Store) -> None:
    assert store.candidates.add("a", []) == 0
    assert store.candidates.add("a", documents(20)) == 20
    before = list(store.candidates.collection.find().sort("_id", 1))
    assert store.candidates.add("a", documents(20, first=11)) == 10
    assert (
        list(store.candidates.collection.find({"_id": {"$lte": before[-1]["_id"]}}).sort("_id", 1)) == before
    )
    assert store.candidates.add("b", documents(20)) == 20
    assert [store.candidates.count(campaign) for campaign in ("a", "b", "c")] == [30, 20, 0]


def test_a_candidate_comes_back_as_it_was_given(store: Store) -> None:
    originals = documents(3)
    store.candidates.add(
        "a",
        [
            *originals,
            {
                "name": "x",
                "atoms": None,
                "fractions": [],
                "dropped": Dropped.UNUSABLE,
                "reason": "cut off",
            },
        ],
    )
    found = {candidate["name"]: candidate for candidate in store.candidates.find("a")}
    for document in originals:
        atoms = found[document["name"]]["atoms"]
        assert atoms == document["atoms"]
        assert found[document["name"]]["formula"] == "Cu"
    assert found["x"]["atoms"] is None
    assert [found["x"][key] for key in ("state", "dropped", "reason")] == ["dropped", "unusable", "cut off"]


@given(st.text(), st.text())
def test_the_order_follows_from_the_name_alone(first: str, second: str) -> None:
    assert 0 <= order_of(first) < 2**48
    assert (order_of(first) == order_of(second)) == (first == second)


def test_the_order_is_shuffled_and_the_same_in_every_run(store: Store) -> None:
    assert order_of("fcc 1") == 204732531113048
    store.candidates.add("a", documents(60))
    store.candidates.add("b", reversed(documents(60)))
    first, second = (
        names(store, store.candidates.ids(campaign, 0, CandidateState.WAITING)) for campaign in "ab"
    )
    assert first == second == sorted(first, key=order_of)
    assert first != sorted(first, key=lambda name: int(name.split()[1]))


@pytest.mark.parametrize("taken", [0, 1, 50])
def test_the_first_of_the_order_are_the_same_as_of_all(store: Store, taken: int) -> None:
    store.candidates.add("a", documents(60))
    waiting = store.candidates.ids("a", 0, CandidateState.WAITING)
    assert len(waiting) == 54
    store.candidates.write((key, {"state": CandidateState.PAUSED}) for key in waiting[:taken])
    for limit in (1, 2, 3, 30, 100):
        assert store.candidates.ids("a", 0, CandidateState.WAITING, limit=limit) == waiting[taken:][:limit]
    assert store.candidates.ids("a", 0, CandidateState.PAUSED, limit=1) == waiting[:taken][:1]
    assert store.candidates.ids("a", 1, CandidateState.WAITING, limit=1) == []


def test_what_is_written_is_what_is_asked_for(store: Store) -> None:
    store.candidates.add("a", documents(20))
    ids = store.candidates.ids("a", 0, CandidateState.WAITING)
    relaxed = bulk("Cu", a=3.61)
    store.candidates.write([])
    store.candidates.write(
        (
            key,
            {"state": CandidateState.RELAXED, "atoms": relaxed, "version": 1 + n % 2, "energies.0": -3.0 - n},
        )
        for n, key in enumerate(ids[:6])
    )
    store.candidates.write([(ids[6], {"state": CandidateState.WAITING, "stage": 1})])
    assert store.candidates.counts("a") == {
        0: {CandidateState.WAITING: 11, CandidateState.RELAXED: 6, CandidateState.DROPPED: 2},
        1: {CandidateState.WAITING: 1},
    }
    assert store.candidates.ids("a", 0, CandidateState.RELAXED, version={"$lt": 2}) == ids[:6:2]
    found, fractions, energies_eV = store.candidates.energies("a", 0)
    assert found == ids[:6]
    assert energies_eV.tolist() == [-3.0, -4.0, -5.0, -6.0, -7.0, -8.0]
    assert fractions.tolist() == [candidate["fractions"] for candidate in store.candidates.get(ids[:6])]
    assert store.candidates.energies("a", 1)[0] == []
    (first, second) = store.candidates.get([ids[3], ids[0]])
    assert (first["_id"], second["_id"]) == (ids[3], ids[0])
    assert first["atoms"] == relaxed


@given(data=st.data())
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_candidate_gets_its_own_values(store: Store, data: st.DataObject) -> None:
    campaign = ObjectId().binary.hex()
    store.candidates.add(campaign, documents(9))
    plain = st.none() | st.booleans() | st.floats(-1e9, 1e9) | st.text("$.aé", max_size=3)
    names = st.sampled_from(["state", "reason", "round", "energies", "label"])
    changes = st.dictionaries(names, plain | st.dictionaries(st.sampled_from("01"), plain), min_size=1)
    before = {document["_id"]: document for document in store.candidates.find(campaign)}
    updates = {key: data.draw(changes) for key in data.draw(st.permutations(list(before)))}
    store.candidates.write(updates.items())
    after = {document["_id"]: document for document in store.candidates.find(campaign)}
    assert after == {key: before[key] | updates[key] for key in before}


def test_pure_elements_are_found(store: Store) -> None:
    store.candidates.add("a", documents(10))
    assert store.candidates.has("a", **{"fractions.0": 1.0, "reason": None})
    assert not store.candidates.has("a", **{"fractions.1": 1.0})
    assert not store.candidates.has("b")
    (pure,) = names(
        store, store.candidates.ids("a", 0, CandidateState.WAITING, limit=1, **{"fractions.0": 1.0})
    )
    assert int(pure.split()[1]) % 2 == 1
