"""An explorer of another package: examples/plugins/random_rattle.py, installed beside alflow."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from host import Campaign, MemoryHost, call, displaced
from pydantic import BaseModel

from alflow import registry
from alflow.explorers import EXPLORERS, AnyExplorer, OutcomeState

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "plugins" / "random_rattle.py"
ENTRY = {"name": "shake", "kind": "rattle", "structure": "fcc", "count": 40}


class File(BaseModel):
    explorers: list[AnyExplorer]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What pip leaves of a package."""
    shutil.copy(EXAMPLE, tmp_path)
    facts = tmp_path / "alflow_rattle-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: alflow-rattle\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[alflow.explorers]\nrattle = random_rattle:EXPLORER\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry._entry_points.cache_clear()
    yield
    registry._entry_points.cache_clear()
    sys.modules.pop("random_rattle", None)


def test_it_is_found_by_its_entry_point_and_read_from_a_campaign_file(installed: None) -> None:
    assert EXPLORERS.names() == ["md", "relax", "neb", "script", "rattle"]
    (entry,) = File.model_validate({"explorers": [ENTRY]}).explorers
    assert type(entry).__name__ == "RattleSettings"
    assert entry.structure_names() == ["fcc"]
    assert len(EXAMPLE.read_text().splitlines()) <= 80


def test_it_learns_how_far_the_potential_can_be_trusted(installed: None) -> None:
    explorer = EXPLORERS.get("rattle")
    (run,) = explorer.runs(explorer.Settings(**ENTRY), {"fcc": bulk("Cu", cubic=True)}, ["Cu"])
    campaign = Campaign(explorer, run, ["Cu"], displaced(run.start[0] * (2, 2, 2), 3))
    first = call(explorer, run, campaign.calculator, campaign.host)
    assert first.state == OutcomeState.PAUSED and "γ is" in first.reason
    assert 0 < campaign.host.step < 40
    assert {"step", "extrapolation_grade", *(c.name for c in explorer.columns)} == set(campaign.host.history)
    outcome = campaign.to_the_end()
    assert outcome.results == {"count": 40}
    np.testing.assert_array_less(campaign.host.history["extrapolation_grade"], 10)
    again = call(explorer, run, campaign.calculator, MemoryHost())
    assert again.results == outcome.results
