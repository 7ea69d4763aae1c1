"""Recovery from killed workers, lost nodes and restarted databases.

The store knows which work is done, so a round's workflow that cannot go on is set aside and built again from
the store. Finished work is not repeated, because each task checks the store first.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

from fireworks import LaunchPad
from fireworks.utilities.fw_serializers import load_object

from alflow.states import CampaignState
from alflow.store import Store
from alflow.store.leased_work import LEASE_SECONDS
from workflows.launchpad import set_aside
from workflows.rounds import add_round

LOCAL_PATIENCE_S = 5.0  # FireWorks' bookkeeping between two tasks takes much less than a second
SECOND_LOOK_S = 2.0
CLUSTER_PATIENCE_S = 1.5 * LEASE_SECONDS
_log = logging.getLogger(__name__)

ENDED = {"COMPLETED", "FIZZLED"}
HEALTHY = ENDED | {"WAITING", "READY"}  # a fizzled task has reported to the store, and its children continue


def recover(store: Store, launchpad: LaunchPad, name: str, *, patience_s: float = CLUSTER_PATIENCE_S) -> bool:
    """Repair the present round of a campaign; return whether its workflow was built anew.

    Parameters
    ----------
    patience_s
        Longest time that a live worker may spend between two steps: seconds if all workers are local, because
        their death is seen at once; more than a lease if some are not; 0 if there are no workers.
    """
    freed = sum(
        part.break_dead_leases(name)
        for part in (store.labels, store.explorers, store.chunks, store.campaigns)
    )
    document = store.campaigns.get(name)
    if document["state"] != CampaignState.RUNNING:
        return False
    with store.campaigns.leased(name) as mine:
        if not mine:
            return False
        round_ = store.campaigns.get(name)["round"]
        broken = _is_broken(store, launchpad, name, round_, patience_s)
        if broken and patience_s:  # FireWorks locks a workflow for a moment without a trace of when
            time.sleep(SECOND_LOOK_S)
            broken = _is_broken(store, launchpad, name, round_, patience_s)
        if broken:
            set_aside(launchpad, name, round_)
        add_round(store, launchpad, name)
    if broken:
        _log.warning("round %d of campaign %s had come to a standstill; its workflow is new", round_, name)
        key = f"recovered-{datetime.now(UTC).isoformat()}"
        store.events.add(name, key, "recovered", round_, leases=freed)
    return broken


def _is_broken(store: Store, launchpad: LaunchPad, name: str, round_: int, patience_s: float) -> bool:
    """Whether a round's workflow is stuck, so that no worker can continue it."""
    workflows = list(launchpad.workflows.find({"metadata.campaign": name, "metadata.round": round_}))
    fireworks = list(launchpad.fireworks.find({"spec.campaign": name, "spec.round": round_}))
    if not workflows and not fireworks:
        return False  # not added yet: adding it is enough
    if (datetime.now(UTC) - max(map(_changed, [*workflows, *fireworks]))).total_seconds() < patience_s:
        return False
    noted = {int(key): state for workflow in workflows for key, state in workflow["fw_states"].items()}
    states = {firework["fw_id"]: firework["state"] for firework in fireworks}
    if states != noted or any(workflow.get("locked") for workflow in workflows):
        return True  # killed amid FireWorks' bookkeeping; a stray firework would block its worker
    if set(states.values()) <= ENDED:
        return True  # the round ended without beginning the next one
    return not all(f["state"] in HEALTHY or _is_alive(store, launchpad, f, patience_s) for f in fireworks)


def _is_alive(store: Store, launchpad: LaunchPad, firework: dict[str, Any], patience_s: float) -> bool:
    """Whether a running firework has a live worker. A worker that waits in a cluster's queue counts."""
    if firework["state"] in ("PAUSED", "DEFUSED", "ARCHIVED"):
        return True  # a person has set this state
    if firework["state"] == "RESERVED":
        return launchpad.launches.find_one({"launch_id": {"$in": firework["launches"]}}) is not None
    document = load_object(firework["spec"]["_tasks"][0]).document(store) or {}
    if lease := document.get("lease"):
        return bool(lease["until"].replace(tzinfo=UTC) > datetime.now(UTC))
    # The work has just ended, and its worker is about to tell FireWorks.
    ended = document.get("ended")
    if ended is None:
        return False
    return bool((datetime.now(UTC) - ended.replace(tzinfo=UTC)).total_seconds() < patience_s)


def _changed(document: dict[str, Any]) -> datetime:
    """Time of FireWorks' last change of a document; it stores times as text or as dates."""
    value = document.get("updated_on") or document["created_on"]
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time if time.tzinfo else time.replace(tzinfo=UTC)
