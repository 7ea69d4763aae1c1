from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from alflow.campaign.file import parse_campaign
from alflow.store.candidates import Candidates
from workflows.hull_screening.schema import Screening
from workflows.hull_screening.sources import documents
from workflows.local import work
from workflows.submission import submit

SCREENING: dict[str, Any] = {
    "name": "cu-pd",
    "species": ["Cu", "Pd"],
    "candidates": [{"lattice": "fcc", "max_atoms": 4}],
    "stages": [{"potential": {"level": 6, "cutoff_A": 4.5}}],
    "qm": {"interface": "mock"},
}
AT_ONCE = 4


@pytest.mark.parametrize("stored", [[], [0, 2], [*range(8)], [*range(16), 17, 19]])
def test_a_gathering_goes_on_from_the_part_that_was_cut_off(
    stage: Any, monkeypatch: pytest.MonkeyPatch, stored: list[int]
) -> None:
    monkeypatch.setattr("workflows.tasks.gather.WRITTEN_AT_ONCE", AT_ONCE)
    config = parse_campaign(SCREENING)
    assert isinstance(config, Screening)
    every = list(documents(config))
    submit(stage.store, stage.launchpad, config)
    stage.store.candidates.add(config.name, [every[index] for index in stored])

    offered: Counter[str] = Counter()
    add = Candidates.add

    def counting(self: Candidates, campaign: str, part: list[dict[str, Any]]) -> int:
        offered.update(document["name"] for document in part)
        return add(self, campaign, part)

    monkeypatch.setattr(Candidates, "add", counting)
    finished = stage.store.chunks.is_finished
    work(stage.launchpad, ["explore"], keep_going=lambda: not finished(config.name, 0, 0))
    found = [candidate["name"] for candidate in stage.store.candidates.find(config.name)]
    assert sorted(found) == sorted(document["name"] for document in every)
    assert set(offered.values()) == {1}
    assert len(offered) <= len(every) - len(stored) + AT_ONCE
