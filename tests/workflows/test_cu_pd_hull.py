"""The shipped screening against brute force: all 337 orderings of copper and palladium up to six atoms."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alflow.campaign.file import load_campaign
from alflow.hull import hull_distances
from alflow.simulation import Relaxation, relax_batch
from workflows.hull_screening.schema import Screening
from workflows.hull_screening.sources import documents
from workflows.submission import submit

ROOT = Path(__file__).resolve().parents[2]
SAME_EV = 1e-4


def by_brute_force(config: Screening) -> tuple[np.ndarray, np.ndarray]:
    """Energies per atom of all candidates relaxed by EMT, and their fractions, in the order of the names."""
    pytest.importorskip("numba", reason="Numba, which evaluates EMT for many structures, is not installed")
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from batched_emt import BatchedEMT

    candidates = list(documents(config))
    settings = Relaxation(max_force_eV_A=0.002, max_stress_GPa=0.02, steps=2000)
    potential = BatchedEMT(config.species)
    energies = np.full(len(candidates), np.nan)
    for result in relax_batch((c["atoms"] for c in candidates), potential, settings=settings):
        assert result.state == "converged"
        energies[result.index] = result.energy_eV / len(result.atoms)
    return energies, np.array([c["fractions"] for c in candidates])


@pytest.mark.slow
def test_the_hull_is_that_of_brute_force(stage: Any, labels_in_process: list[str]) -> None:
    config = load_campaign(ROOT / "examples" / "cu_pd_hull.yaml")
    assert isinstance(config, Screening)
    submit(stage.store, stage.launchpad, config)
    end = stage.work(config.name)
    assert end["state"] == "finished", end["reason"]

    energies, fractions = by_brute_force(config)
    distances = hull_distances(fractions, energies)
    stable = list(stage.store.candidates.find(config.name, state="final", above_hull=0))
    numbers = np.array([int(c["name"].rsplit(" ", 1)[1]) - 1 for c in stable])
    found = np.array([c["energies"]["2"] for c in stable])
    assert found == pytest.approx(energies[numbers], abs=SAME_EV)
    assert (distances[numbers] < SAME_EV / 10).all()
    on_hull = np.unique(fractions[distances < SAME_EV / 100], axis=0)
    assert np.unique(fractions[numbers], axis=0) == pytest.approx(on_hull)

    final = {
        int(c["name"].rsplit(" ", 1)[1]) - 1 for c in stage.store.candidates.find(config.name, state="final")
    }
    last = list(stage.store.events.find(config.name, "sifted"))[-1]
    for number in np.flatnonzero(distances <= 2 * last["sigma_eV"]):  # two starts can relax to one crystal
        same = (fractions == fractions[number]).all(axis=1) & (
            np.abs(energies - energies[number]) < SAME_EV / 10
        )
        assert final & set(np.flatnonzero(same).tolist())
