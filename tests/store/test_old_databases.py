from __future__ import annotations

from typing import Any

import pytest
from old_databases import EXPECTED, load
from pymongo.database import Database

from alflow.cli.campaign_views import overview
from alflow.store import Store


@pytest.mark.parametrize("name", EXPECTED)
def test_it_opens(database: Database[dict[str, Any]], name: str) -> None:
    load(name, database)
    store, expected = Store(database), EXPECTED[name]
    campaign = store.campaigns.get(expected["campaign"])
    facts = overview(store, expected["campaign"]).as_dict()
    if name.endswith("finished"):
        assert campaign["state"] == expected["state"]
        assert facts["labels"] == expected["labels"]
        assert len(facts["rounds"]) == expected["rounds"]
        assert facts["waits_for"] == "nothing"
    else:
        assert campaign["state"] == "running"
        assert 2 <= facts["round"] < expected["rounds"]
        assert "running" in facts["waits_for"] or "chunks" in facts["waits_for"]
