"""Make the databases of this folder, and `expected.json`: what becomes of them.

It must be run at commit 1ef39c1 (version 0.1.0, the last one before the storage was refactored), with that
commit's alflow installed:

    python tests/data/old_databases/make_old_databases.py

It is kept to say where the files come from. Run with later code it would make databases of that code, which
are not what the tests need. The campaigns are real ones with the mock's labels; a worker of the unfinished
ones ended as by kill -9 just before a write to the database, at a moment that shows much.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from alflow.campaign_file import parse_campaign
from alflow.store.lease import LEASE_SECONDS
from bson import json_util
from pymongo import monitoring

from alflow.store import Store
from alflow.store.embedded import EmbeddedDatabase
from workflows.launchpad import open_launchpad
from workflows.local import ROLES, work
from workflows.recovery import recover
from workflows.submission import submit

FOLDER = Path(__file__).parent
WRITES = {"insert", "update", "delete", "findAndModify"}
KILLED = 9
Moment = Callable[[Store], bool]


def explorer(name: str, temperature_K: float, steps: int) -> dict[str, Any]:
    run = {"name": name, "temperature_K": temperature_K, "steps": steps}
    return run | {"structure": "fcc", "timestep_fs": 2.0}


MD: dict[str, Any] = {
    "species": ["Cu"],
    "structures": [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61, "cubic": True}}],
    "potential": {"level": 4, "cutoff_A": 4.0, "radial_basis_size": 4},
    "explorers": [
        explorer("cold", 300, 60),
        explorer("warm", 900, 150),
        explorer("hot", 1500, 200),
        explorer("liquid", 2000, 150),
    ],
    "selection": {"gamma_save": 1.1, "gamma_break": 2.0, "labels_per_round": 3},
    "qm": {
        "interface": "mock",
        "options": {
            "fail_probability": 0.2,
            "unconverged_probability": 0.1,
            "wrong_probability": 0.15,
            "seed": 2,  # with others all labels of the beginning fail
        },
        "retries": 1,
        "concurrency": 2,
        "keep": "none",
    },
    "fit": {"max_iterations": 20},
    "initial": {"count": 4},
}
SCREENING: dict[str, Any] = {
    "species": ["Cu", "Pd"],
    "candidates": [
        {"lattice": "fcc", "max_atoms": 3},
        {"lattice": "bcc", "max_atoms": 2},
        {"lattice": "fcc", "min_atoms": 2, "max_atoms": 2},
    ],
    "volume_factors": [1.0, 1.2],
    "stages": [
        {"potential": {"level": 6, "cutoff_A": 4.5, "radial_basis_size": 5}, "validation": 5},
        {
            "potential": {"level": 8, "cutoff_A": 5.0, "radial_basis_size": 6},
            "selection": {"gamma_save": 1.1, "gamma_break": 1.5, "labels_per_round": 3},
            "validation": 5,
        },
    ],
    "screen": {"first_sample": 4, "chunk": 3, "max_volume_change": 0.15},
    "qm": {"interface": "mock", "options": {"calculator": "emt"}, "retries": 0, "keep": "none"},
    "initial": {"count": 6},
}


def mid_round(store: Store) -> bool:
    """Two explorers have finished, two are paused; one label is done, and one runs in a slot."""
    round_ = store.campaigns.get("cu-mid")["round"]
    explorers = Counter(run["state"] for run in store.explorers.all("cu-mid"))
    labels = Counter(label["state"] for label in store.labels.find("cu-mid") if label["round"] == round_)
    in_slot = store.slots.collection.find_one({"lease": {"$ne": None}}) is not None
    some = labels["done"] > 0 and labels["running"] > 0
    return round_ >= 2 and explorers["paused"] >= 2 and some and in_slot


def second_stage(store: Store) -> bool:
    """The second stage is in its second round; of the chunks one is done, and one is being relaxed."""
    name = "cu-pd-second"
    campaign = store.campaigns.get(name)
    if campaign.get("stage") != 1 or campaign["phase"] != "learning":
        return False
    if campaign["sample"] == SCREENING["screen"]["first_sample"]:
        return False
    states = store.candidates.counts(name).get(1, {})
    chunks = list(store.chunks.collection.find({"campaign": name, "round": campaign["round"]}))
    return (
        all(states.get(state) for state in ("waiting", "paused", "relaxed"))
        and any(chunk["state"] == "finished" for chunk in chunks)
        and any(chunk["lease"] for chunk in chunks)
    )


CASES: dict[str, tuple[dict[str, Any], Moment | None]] = {
    "md_mid_round": ({"name": "cu-mid", **MD}, mid_round),
    "md_finished": ({"name": "cu-finished", **MD}, None),
    "screening_second_stage": ({"name": "cu-pd-second", **SCREENING}, second_stage),
    "screening_finished": ({"name": "cu-pd-finished", **SCREENING}, None),
}


class DieAt(monitoring.CommandListener):
    """End the process, as kill -9 does, before the first write at a moment."""

    def __init__(self, uri: str, database: str, moment: Moment) -> None:
        self.moment = moment
        self.store = Store.connect(uri, database)  # before it listens, or it would hear itself

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in WRITES and self.moment(self.store):
            os._exit(KILLED)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


def _live(uri: str, database: str, campaign: str, moment: Moment | None) -> None:
    if moment is not None:
        monitoring.register(DieAt(uri, database, moment))
    launchpad = open_launchpad(uri, database)
    store = Store(launchpad.db)
    recover(store, launchpad, campaign, patience_s=0.0)
    work(launchpad, ROLES, keep_going=lambda: store.campaigns.get(campaign)["state"] == "running")


def life(uri: str, database: str, campaign: str, moment: Moment | None = None) -> int | None:
    """Work on a campaign in a process of its own until its end or a moment; the exit code."""
    process = multiprocessing.get_context("fork").Process(
        target=_live, args=(uri, database, campaign, moment)
    )
    process.start()
    process.join()
    return process.exitcode


def dump(database: Any, path: Path) -> None:
    """Write all collections to a file; leases end when their holder died, so that no test waits for it."""
    collections = {
        name: list(database[name].find().sort("_id", 1)) for name in database.list_collection_names()
    }
    for document in (document for documents in collections.values() for document in documents):
        if document.get("lease"):
            document["lease"]["until"] -= timedelta(seconds=LEASE_SECONDS)
    text = json_util.dumps(collections, json_options=json_util.CANONICAL_JSON_OPTIONS, sort_keys=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def facts(store: Store, name: str) -> dict[str, Any]:
    """What a campaign came to."""
    campaign = store.campaigns.get(name)
    newest = store.potentials.latest(name)
    assert newest is not None
    common = {
        "campaign": name,
        "state": campaign["state"],
        "reason": campaign["reason"],
        "rounds": len(store.events.find(name, "selected")),
        "labels": store.labels.counts(name),
        "potentials": newest["version"],
        "mtp_sha256": hashlib.sha256(store.potentials.mtp(name, newest["version"]).encode()).hexdigest(),
    }
    if runs := store.explorers.all(name):
        return common | {
            "explorers": {run["name"]: {"state": run["state"], "step": run["step"]} for run in runs}
        }
    stages = len(campaign["config"]["stages"])
    hull = store.candidates.find(name, state="final", above_hull=0)
    return common | {
        "hull_eV": {candidate["name"]: candidate["energies"][str(stages)] for candidate in hull},
        "candidates": {str(stage): states for stage, states in store.candidates.counts(name).items()},
    }


def main() -> None:
    expected_json = FOLDER / "expected.json"
    expected_json.write_text("{}")
    sys.path.insert(0, str(FOLDER.parents[1]))
    from old_databases import load

    socket.gethostname = lambda: "old-host"  # nobody's machine, so that no test finds its process numbers
    expected = {}
    with tempfile.TemporaryDirectory() as scratch, EmbeddedDatabase(Path(scratch) / "server") as uri:
        os.chdir(scratch)
        for name, (config, moment) in CASES.items():
            launchpad = open_launchpad(uri, name)
            store, campaign = Store(launchpad.db), config["name"]
            submit(store, launchpad, parse_campaign(config))
            code = life(uri, name, campaign, moment)
            assert code == (0 if moment is None else KILLED), f"{name} ended with {code}"
            dump(launchpad.db, FOLDER / f"{name}.json.gz")
            if moment is not None:
                store = Store.connect(uri, f"{name}_continued")
                load(name, store.database)
                assert life(uri, store.database.name, campaign) == 0
            expected[name] = facts(store, campaign)
        os.chdir(FOLDER)
    expected_json.write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
