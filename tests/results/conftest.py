from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from alflow.store import Store


@pytest.fixture
def store(database: Database[dict[str, Any]]) -> Store:
    return Store(database)
