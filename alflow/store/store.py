"""The store: all collections of one database."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from alflow.store.campaigns import Campaigns
from alflow.store.candidates import Candidates
from alflow.store.chunks import Chunks
from alflow.store.configurations import Configurations
from alflow.store.events import Events
from alflow.store.explorers import Explorers
from alflow.store.files import Files
from alflow.store.labels import Labels
from alflow.store.migrations import bring_up_to_date
from alflow.store.potentials import Potentials
from alflow.store.slots import Slots


class Store:
    """All collections of a database, one attribute each.

    Opening it creates the unique indexes and brings stored campaigns up to today's schema.

    Raises
    ------
    InputError
        If a newer release of alflow has stored a campaign.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        bring_up_to_date(database)
        self.database = database
        self.campaigns = Campaigns(database)
        self.configurations = Configurations(database)
        self.labels = Labels(database)
        self.slots = Slots(database)
        self.potentials = Potentials(database)
        self.explorers = Explorers(database)
        self.candidates = Candidates(database)
        self.chunks = Chunks(database)
        self.events = Events(database)
        self.files = Files(database)

    @classmethod
    def connect(cls, uri: str, database_name: str) -> Store:
        """Open a store by the address of its server."""
        return cls(MongoClient(uri)[database_name])
