"""What the tests share: the reference data, and a database server for those that need one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from alflow.store.embedded import EmbeddedDatabase

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave codes that take minutes to those who ask for them."""
    if "other_codes" not in config.getoption("-m"):
        for item in items:
            if item.get_closest_marker("other_codes"):
                item.add_marker(pytest.mark.skip(reason="opt in: pytest -m other_codes"))


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Folder of published data sets and of what other programs compute; its README says what is what."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def database_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URI of an embedded server that this test process has for itself."""
    pytest.importorskip("secantus", reason="needs the embedded database: pip install 'alflow[embedded]'")
    with EmbeddedDatabase(tmp_path_factory.mktemp("server")) as uri:
        yield uri


@pytest.fixture
def database(database_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """An empty database of this test's own; with `database_uri`, its name reaches it from another process."""
    name = f"test_{uuid4().hex}"
    with MongoClient[dict[str, Any]](database_uri) as client:
        yield client[name]
        client.drop_database(name)
