from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from alflow.campaign.file import parse_campaign
from alflow.store import Store
from workflows.active_learning.schema import ActiveLearning


@pytest.fixture
def store(database: Database[dict[str, Any]]) -> Store:
    return Store(database)


@pytest.fixture
def campaign() -> ActiveLearning:
    return parse_campaign(
        {
            "name": "cu",
            "species": ["Cu"],
            "structures": [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61}}],
            "potential": {"level": 4, "cutoff_A": 4.0},
            "explorers": [{"name": "md", "structure": "fcc", "temperature_K": 300, "steps": 10}],
            "qm": {"interface": "mock"},
        }
    )
