"""The LaunchPad: FireWorks' database, which is also the store's database."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import yaml
from fireworks import LaunchPad, fw_config
from pymongo.errors import PyMongoError

from alflow.errors import InputError
from alflow.files import write_completely

DATABASE_NAME = "alflow"
URI_VARIABLE = "ALFLOW_MONGO_URI"
HOT_ROUNDS = 3  # finished rounds that stay on the dashboard; checkout time grows with their number
COLLECTIONS = ("workflows", "fireworks", "launches")
_log = logging.getLogger(__name__)


def open_launchpad(uri: str, database_name: str = DATABASE_NAME) -> LaunchPad:
    """Open the LaunchPad in a database of a MongoDB server, and set it up if it is new.

    Raises
    ------
    InputError
        If no server answers at this address.
    """
    launchpad = LaunchPad(host=uri, name=database_name, uri_mode=True, strm_lvl="ERROR")
    return _ready(launchpad, uri)


def launchpad_from_file(path: str | Path) -> LaunchPad:
    """Open the LaunchPad of a `my_launchpad.yaml`, and set it up if it is new.

    Raises
    ------
    InputError
        If the file does not exist or is not a LaunchPad file, or no server answers at its address.
    """
    try:
        settings = yaml.safe_load(Path(path).read_text())
        launchpad = LaunchPad.from_dict({**settings, "strm_lvl": "ERROR"})
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such LaunchPad file") from None
    except (TypeError, ValueError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: is not a FireWorks LaunchPad file ({error})") from None
    return _ready(launchpad, str(path))


def configured_launchpad(
    uri: str | None = None, file: str | Path | None = None, *, use_fireworks_configuration: bool = True
) -> LaunchPad | None:
    """The LaunchPad named by options, `ALFLOW_MONGO_URI` or FireWorks' configuration; None without a name."""
    if uri is None and file is None:
        uri = os.environ.get(URI_VARIABLE)
    if uri is not None:
        return open_launchpad(uri)
    if file is None and use_fireworks_configuration:
        file = fw_config.LAUNCHPAD_LOC
    return None if file is None else launchpad_from_file(file)


def write_launchpad_file(launchpad: LaunchPad, path: Path) -> None:
    """Write a `my_launchpad.yaml` for `lpad` and `rlaunch`, readable by its owner only."""
    keys = ("host", "port", "name", "username", "password", "authsource", "uri_mode")
    settings = {key: value for key, value in launchpad.to_dict().items() if key in keys and value is not None}
    path.touch(mode=0o600)
    write_completely(path, yaml.safe_dump(settings | {"strm_lvl": "INFO"}))


def archive(launchpad: LaunchPad, query: dict[str, Any]) -> None:
    """Move workflows, with their fireworks and launches, out of the collections that workers search.

    Copies come before deletions, so a killed move loses nothing, and a second call completes it.
    """
    for workflow in list(launchpad.workflows.find(query)):
        fireworks = {"fw_id": {"$in": workflow["nodes"]}}
        _move(launchpad, "launches", fireworks)
        _move(launchpad, "fireworks", fireworks)
        _move(launchpad, "workflows", {"_id": workflow["_id"]})


def set_aside(launchpad: LaunchPad, campaign: str, round_: int) -> None:
    """Hide a round's fireworks from workers: archive the workflow, and remove stray fireworks.

    A worker that still runs one of them can finish it, because its launch is marked and not removed.
    """
    _log.info("the workflow of round %d of campaign %s is set aside", round_, campaign)
    fireworks = {"spec.campaign": campaign, "spec.round": round_}
    ids = [f["fw_id"] for f in launchpad.fireworks.find(fireworks, {"fw_id": 1})]
    launchpad.launches.update_many(
        {"fw_id": {"$in": ids}, "state": "RUNNING"}, {"$set": {"state": "ARCHIVED"}}
    )
    _move(launchpad, "fireworks", fireworks)
    _move(launchpad, "workflows", {"metadata.campaign": campaign, "metadata.round": round_})


def archived(launchpad: LaunchPad) -> LaunchPad:
    """A LaunchPad that shows the archived rounds, for the dashboard."""
    view = LaunchPad.from_dict(launchpad.to_dict())
    for name in COLLECTIONS:
        setattr(view, name, view.db[f"{name}_archive"])
    return view


def _move(launchpad: LaunchPad, name: str, query: dict[str, Any]) -> None:
    collection, target = launchpad.db[name], launchpad.db[f"{name}_archive"]
    for document in list(collection.find(query)):
        target.replace_one({"_id": document["_id"]}, document, upsert=True)
    collection.delete_many(query)


def _ready(launchpad: LaunchPad, where: str) -> LaunchPad:
    try:
        if all(c.find_one({}) is None for c in (launchpad.fw_id_assigner, launchpad.workflows)):
            launchpad.reset("", require_password=False, max_reset_wo_password=0)
    except PyMongoError as error:
        raise InputError(f"no MongoDB server answers at {where} ({str(error).split(',')[0]})") from None
    return launchpad
