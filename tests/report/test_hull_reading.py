from __future__ import annotations

from typing import Any

import pytest
import yaml
from pymongo.database import Database
from stored_screening import NAME, SIGMA_EV, fill

from alflow.campaign.file import parse_campaign
from alflow.errors import InputError
from alflow.states import Dropped, LabelKind
from alflow.store import Store
from workflows.hull_screening.reading import read_hull
from workflows.hull_screening.results import HullData

pytest.importorskip("spglib", reason="needs spglib: pip install 'alflow[hull]'")


@pytest.fixture
def store(database: Database[dict[str, Any]]) -> Store:
    return Store(database)


@pytest.fixture
def finished(store: Store) -> HullData:
    fill(store)
    return read_hull(store, NAME)


def test_each_crystal_once_with_the_smallest_cell(finished: HullData) -> None:
    found = [(c.formula, c.name, c.space_group, len(c.atoms), c.same) for c in finished.compounds]
    assert found == [
        ("CuPd", "fcc 3", "P4/mmm", 4, ("fcc 4",)),
        ("Cu3Pd", "fcc 5", "Pm-3m", 4, ()),
        ("Cu", "fcc 1", "Fm-3m", 1, ()),
        ("Pd", "fcc 2", "Fm-3m", 1, ()),
        ("CuPd", "bcc 6", "Pm-3m", 2, ()),
    ]


def test_energies_are_of_the_lowest_and_refer_to_the_elements(finished: HullData) -> None:
    assert [compound.formula for compound in finished.stable] == ["Cu", "Cu3Pd", "CuPd", "Pd"]
    assert [c.formation_energy_eV for c in finished.stable] == pytest.approx([0, -0.07, -0.1, 0])
    metastable = finished.compounds[-1]
    assert (metastable.above_hull_eV, metastable.volume_A3) == pytest.approx((0.01, 2.95**3 / 2))
    assert finished.hull_of == "QM"
    assert finished.note is None


def test_the_window_decides_what_is_listed(store: Store) -> None:
    fill(store)
    assert [c.name for c in read_hull(store, NAME, window_eV=0.005).compounds][-1] == "fcc 2"


def test_what_each_stage_kept(finished: HullData) -> None:
    first, second = finished.stages
    assert (first.entered, first.relaxed, first.kept, first.sigma_eV) == (10, 8, 7, SIGMA_EV[0])
    assert (second.entered, second.relaxed, second.kept, second.sigma_eV) == (7, 7, 7, SIGMA_EV[1])
    assert first.labels == {LabelKind.INITIAL: 2, LabelKind.EXTRAPOLATIVE: 1, LabelKind.VALIDATION: 3}
    assert second.labels == {LabelKind.VALIDATION: 2}
    assert (first.potential_text, second.potential_text) == ("level 4, cutoff 4 Å", "level 6, cutoff 4.5 Å")
    assert (first.relaxation_s, first.fit_s, first.versions) == (3.0, 2.5, 2)
    assert (second.relaxation_s, second.fit_s, second.versions) == (2.0, 4.0, 1)
    assert first.band_eV == pytest.approx(0.04)
    assert (finished.final.entered, finished.final.relaxed, finished.final.failed) == (7, 6, 1)


def test_what_was_dropped_by_reason(finished: HullData) -> None:
    assert {(d.stage, d.why): (d.count, d.example) for d in finished.dropped} == {
        (1, Dropped.ABOVE_HULL): (1, "fcc 7: 0.1 eV/atom above the hull, 4σ = 0.04"),
        (1, Dropped.NOT_RELAXED): (1, "fcc 9: volume has changed by 60 %"),
        (1, Dropped.UNUSABLE): (1, "POSCAR-8: is cut off"),
        (3, Dropped.QM_FAILED): (1, "fcc 10: relaxation by quantum mechanics failed: no SCF"),
    }


def test_time_and_evaluations_by_kind_of_work(finished: HullData) -> None:
    assert {share.what: (share.seconds, share.evaluations) for share in finished.work} == {
        "final relaxation": (40.0, 61),
        "training set": (4.0, 8),
        "work with potentials": (11.5, 0),
    }
    shares = [finished.share_percent(share) for share in finished.work]
    assert sum(time for time, _ in shares if time is not None) == pytest.approx(100)
    assert sum(calls for _, calls in shares if calls is not None) == pytest.approx(100)


def test_a_running_screening_shows_the_last_stage_that_is_done(store: Store) -> None:
    fill(store, finished=False)
    data = read_hull(store, NAME)
    assert data.hull_of == "the potential of stage 1"
    assert [compound.formula for compound in data.stable] == ["Cu", "Cu3Pd", "CuPd", "Pd"]
    assert data.stages[1].kept is None
    assert data.note == (
        "the campaign is running (learning, stage 2): the hull is of the potential of stage 1 so far; "
        "0 of 0 relaxations by QM are done"
    )


def test_without_an_element_there_is_no_hull(store: Store) -> None:
    fill(store)
    (palladium,) = store.candidates.find(NAME, name="fcc 2")
    store.candidates.write([(palladium["_id"], {"energies": {}, "state": "waiting"})])
    data = read_hull(store, NAME)
    assert data.hull_of is None
    assert data.compounds == []


def test_a_screening_that_has_just_begun(store: Store) -> None:
    from stored_screening import CONFIG

    store.campaigns.create(parse_campaign(CONFIG))
    data = read_hull(store, NAME)
    assert data.headline == "cu-pd, running, round 0: no hull yet"
    assert data.note is not None


def test_active_learning_has_no_hull(store: Store) -> None:
    campaign = """
    name: cu
    species: [Cu]
    structures: [{name: fcc, build: {element: Cu, crystal: fcc, a_A: 3.61}}]
    potential: {level: 4, cutoff_A: 4.0}
    explorers: [{name: md, structure: fcc, temperature_K: 300, steps: 10}]
    qm: {interface: mock}
    """
    store.campaigns.create(parse_campaign(yaml.safe_load(campaign)))
    with pytest.raises(InputError, match="campaign 'cu' is of kind active-learning, which has no hull"):
        read_hull(store, "cu")
