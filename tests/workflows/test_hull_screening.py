from __future__ import annotations

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from lives import KILLED, life

from alflow.campaign.file import parse_campaign
from alflow.errors import InputError
from alflow.hull import Derivative, candidates, hull_distances
from alflow.store import Store
from qm_interfaces import CodeFailed, get_interface
from qm_interfaces.relaxation import RelaxationSettings
from qm_interfaces.relaxation_driver import relax
from workflows.hull_screening.schema import Screening
from workflows.submission import submit

SCREENING: dict[str, Any] = {
    "name": "cu-pd",
    "species": ["Cu", "Pd"],
    "candidates": [{"lattice": "fcc", "max_atoms": 2}],
    "stages": [{"potential": {"level": 6, "cutoff_A": 4.5, "radial_basis_size": 5}, "validation": 5}],
    "qm": {"interface": "mock", "options": {"calculator": "emt"}, "retries": 0},
    "initial": {"count": 6},
}


def screening(**sections: Any) -> Screening:
    campaign = parse_campaign(copy.deepcopy(SCREENING) | sections)
    assert isinstance(campaign, Screening)
    return campaign


TWO_STAGES: dict[str, Any] = {
    "candidates": [{"lattice": "fcc", "max_atoms": 3}],
    "stages": [
        *SCREENING["stages"],
        {"potential": {"level": 8, "cutoff_A": 5.0, "radial_basis_size": 6}, "validation": 5},
    ],
    "screen": {"first_sample": 4},
}


def final(store: Store) -> dict[str, float]:
    """Energies per atom by quantum mechanics of the candidates that came to the end."""
    return {c["name"]: c["energies"]["2"] for c in store.candidates.find("cu-pd", state="final")}


@pytest.fixture(scope="module")
def brute_force() -> tuple[dict[str, float], dict[str, float]]:
    """Energy per atom and distance to the hull of every candidate, relaxed by EMT."""
    energies, fractions = {}, []
    interface = get_interface("mock", calculator="emt")
    goal = RelaxationSettings(fmax_eV_A=0.01, smax_eV_A3=0.1 * units.GPa, steps=500)
    for number, candidate in enumerate(candidates([Derivative("fcc", 3)], ["Cu", "Pd"]), start=1):
        assert candidate.atoms is not None
        result = relax(interface, candidate.atoms, Path(), goal)
        energies[f"fcc {number}"] = result.energy_eV / len(candidate.atoms)
        fractions.append([candidate.atoms.symbols.count(s) / len(candidate.atoms) for s in ("Cu", "Pd")])
    distances = hull_distances(np.array(fractions), np.array(list(energies.values())))
    return energies, dict(zip(energies, distances.tolist(), strict=True))


def test_the_hull_is_that_of_brute_force(
    stage: Any, labels_in_process: list[str], brute_force: tuple[dict[str, float], dict[str, float]]
) -> None:
    submit(stage.store, stage.launchpad, screening(**TWO_STAGES))
    end = stage.work("cu-pd")
    assert end["state"] == "finished", end["reason"]
    energies, distances = brute_force
    found = final(stage.store)
    assert {name: found[name] for name in found} == pytest.approx(
        {name: energies[name] for name in found}, abs=1e-4
    )
    on_hull = {name for name, distance in distances.items() if distance == 0}
    assert on_hull == {c["name"] for c in stage.store.candidates.find("cu-pd", state="final", above_hull=0)}
    for event in stage.store.events.find("cu-pd", "sifted"):
        kept = {c["name"] for c in stage.store.candidates.find("cu-pd", stage={"$gt": event["stage"]})}
        near = 2 * (event["sigma_eV"] or 0.0)  # None where nothing was left to measure it with: all are kept
        assert {name for name, distance in distances.items() if distance <= near} <= kept
    dropped = list(stage.store.candidates.find("cu-pd", state="dropped"))
    assert len(dropped) + len(found) == len(distances)
    assert all("eV/atom above the hull, beyond 4σ = " in candidate["reason"] for candidate in dropped)
    assert_stages_are_honest(stage.store)


def assert_stages_are_honest(store: Store) -> None:
    """Each stage ends with all relaxed by one version, and tests it with what it was not trained on."""
    for event in store.events.find("cu-pd", "sifted"):
        newest = store.potentials.latest("cu-pd", stage=event["stage"])
        dropped = store.candidates.find("cu-pd", stage=event["stage"], state="dropped")
        assert {candidate["version"] for candidate in dropped} <= {newest["version"]}
        held_out = store.events.get("cu-pd", f"selected-{event['round']}")["labels"]
        elements = 2  # formation energies refer to them, whether trained on or not
        assert not set(held_out[elements:]) & set(store.potentials.label_ids(newest))


def test_killed_again_and_again(stage: Any, undisturbed: Any, labels_in_process: list[str]) -> None:
    for each in (stage, undisturbed):
        submit(each.store, each.launchpad, screening())
    assert life(undisturbed, "cu-pd") == 0
    moments = random.Random(1)
    exits = []
    while stage.store.campaigns.get("cu-pd")["state"] == "running":
        exits.append(life(stage, "cu-pd", int(moments.expovariate(1 / 40))))
        assert len(exits) < 400
    assert exits.count(KILLED) > 3
    assert stage.store.campaigns.get("cu-pd")["state"] == "finished"
    assert _story(stage.store) == _story(undisturbed.store)


def _story(store: Store) -> list[Any]:
    """What happened in a screening, as far as it must not depend on who died when.

    Rounding errors do: structures that are relaxed together share the lanes of the kernel.
    """
    fates = [
        (c["name"], c["stage"], c["state"], {stage: round(e, 7) for stage, e in c["energies"].items()})
        for c in store.candidates.find("cu-pd")
    ]
    labels = [(label["round"], label["state"]) for label in store.labels.find("cu-pd")]
    return [fates, labels]


def test_added_candidates_are_the_only_new_work(stage: Any, labels_in_process: list[str]) -> None:
    submit(stage.store, stage.launchpad, screening())
    stage.work("cu-pd")
    before = {c["name"]: c for c in stage.store.candidates.find("cu-pd")}
    labels = len(labels_in_process)
    more = [*SCREENING["candidates"], {"lattice": "bcc", "max_atoms": 2}]
    submit(stage.store, stage.launchpad, screening(candidates=more))
    assert stage.work("cu-pd")["state"] == "finished"
    after = {c["name"]: c for c in stage.store.candidates.find("cu-pd")}
    assert {name for name in after if name not in before} == {"bcc 5", "bcc 6", "bcc 7", "bcc 8"}
    for name, candidate in before.items():
        unchanged = ("state", "energies", "round")
        assert [after[name][key] for key in unchanged] == [candidate[key] for key in unchanged]
    assert len(labels_in_process) > labels
    assert len(set(labels_in_process)) == len(labels_in_process)


def test_what_has_begun_cannot_be_another_screening(stage: Any, labels_in_process: list[str]) -> None:
    submit(stage.store, stage.launchpad, screening())
    with pytest.raises(InputError, match="can be added once it has ended; it is running"):
        more = [*SCREENING["candidates"], {"lattice": "bcc", "max_atoms": 2}]
        submit(stage.store, stage.launchpad, screening(candidates=more))
    with pytest.raises(InputError, match=r"`candidates` .* can only be added at the end"):
        submit(stage.store, stage.launchpad, screening(candidates=[{"lattice": "bcc", "max_atoms": 2}]))
    with pytest.raises(InputError, match="`stages` of campaign 'cu-pd' cannot change"):
        submit(stage.store, stage.launchpad, screening(stages=TWO_STAGES["stages"]))


def test_bad_candidates_are_set_aside_and_the_rest_goes_on(
    stage: Any, labels_in_process: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    ase.io.write(folder / "good.cif", bulk("Cu", "sc", a=2.4))
    ase.io.write(folder / "stranger.cif", bulk("Au"))
    ase.io.write(
        folder / "overlap.extxyz", Atoms("Cu2", positions=[[0, 0, 0], [0.1, 0, 0]], cell=[4, 4, 4], pbc=True)
    )
    (folder / "corrupt.cif").write_text("data_\n_cell_length_a ?")
    sources = [*SCREENING["candidates"], {"files": str(folder)}]
    submit(stage.store, stage.launchpad, screening(candidates=sources))
    end = stage.work("cu-pd")
    assert end["state"] == "finished", end["reason"]
    own = {c["name"]: c for c in stage.store.candidates.find("cu-pd", name={"$regex": "cif|xyz"})}
    reasons = {name.split()[0]: c["reason"] for name, c in own.items()}
    assert "Au" in reasons["stranger.cif"]
    assert "0.1 Å apart" in reasons["overlap.extxyz"]
    assert "corrupt.cif" in reasons["corrupt.cif"]
    assert reasons["good.cif"] is None


def test_without_an_element_there_is_no_hull(stage: Any, labels_in_process: list[str]) -> None:
    sources = [{"lattice": "fcc", "min_atoms": 2, "max_atoms": 2}]
    submit(stage.store, stage.launchpad, screening(candidates=sources))
    end = stage.work("cu-pd")
    assert end["state"] == "failed"
    assert end["reason"] == "no candidate is pure Cu, and the hull needs all elements; add a source of it"


def test_a_failed_final_relaxation_drops_its_candidate_with_the_reason(
    stage: Any, labels_in_process: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from workflows.tasks import label

    working: Callable[..., Any] = label.run_relaxation

    def breaking(interface: str, options: dict, atoms: Atoms, directory: Path, **rest: Any) -> Any:
        if len(set(atoms.numbers)) == 2:
            raise CodeFailed("the node burned down")
        return working(interface, options, atoms, directory, **rest)

    monkeypatch.setattr("workflows.tasks.label.run_relaxation", breaking)
    submit(stage.store, stage.launchpad, screening())
    assert stage.work("cu-pd")["state"] == "finished"
    compounds = [
        c for c in stage.store.candidates.find("cu-pd", stage=1) if len(set(c["atoms"].numbers)) == 2
    ]
    assert compounds
    assert {c["reason"] for c in compounds} == {
        "relaxation by quantum mechanics failed: the node burned down"
    }
