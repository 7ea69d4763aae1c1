from __future__ import annotations

from stored_screening import CONFIG, NAME, fill

from alflow.campaign.file import parse_campaign
from alflow.store import Store, overview


def test_a_screening_that_is_gathering(store: Store) -> None:
    store.campaigns.create(parse_campaign(CONFIG))
    facts = overview(store, NAME)
    assert (facts["kind"], facts["phase"], facts["waits_for"]) == (
        "screening",
        "gathering",
        "candidates to be gathered",
    )
    assert [stage["entered"] for stage in facts["stages"]] == [0, 0, 0]


def test_a_screening_that_learns(store: Store) -> None:
    fill(store, finished=False)
    facts = overview(store, NAME)
    assert facts["waits_for"] == "2 chunks of candidates to be relaxed"
    assert (facts["phase"], facts["stage"]) == ("learning", 2)
    first, second, last = facts["stages"]
    assert (first["entered"], first["dropped"], first["sigma_eV"], first["kept"]) == (10, 3, 0.01, 7)
    assert (second["entered"], second["waiting"], second["sigma_eV"]) == (7, 7, None)
    assert (last["stage"], last["entered"]) == ("QM", 0)
    for number in (0, 1):
        claimed = store.chunks.claim(NAME, 3, number)
        assert claimed is not None
        store.chunks.finish(claimed, seconds=1.0, relaxed=3, paused=1, dropped=0)
    assert overview(store, NAME)["waits_for"] == "selection"


def test_a_screening_that_is_done(store: Store) -> None:
    fill(store)
    facts = overview(store, NAME)
    assert facts["waits_for"] == "nothing"
    assert [(row["round"], row["phase"], row["relaxed"], row["done"]) for row in facts["rounds"]] == [
        (0, "gathering", 0, 2),
        (1, "learning", 8, 1),
        (2, "validation", 0, 3),
        (3, "learning", 7, 0),
        (4, "validation", 0, 2),
        (5, "final", 0, 6),
    ]
    assert facts["rounds"][1]["gamma_max"] == 20.0
    assert facts["stages"][2]["final"] == 6
