"""Recovery: what killed workers, lost nodes and restarted databases leave behind.

The store knows what is done, so a round's workflow that cannot go on is set aside and built again from the
store: finished work is not repeated, because every task looks in the store first.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from fireworks import LaunchPad

from alflow.store import Store
from alflow.store.campaigns import RUNNING
from alflow.store.lease import LEASE_SECONDS
from workflows.active_learning import add_round
from workflows.launchpad import set_aside

LOCAL_PATIENCE_S = 5.0  # FireWorks' own bookkeeping between two tasks takes well under a second
CLUSTER_PATIENCE_S = 1.5 * LEASE_SECONDS
HEALTHY = {
    "WAITING",
    "READY",
    "COMPLETED",
    "FIZZLED",
}  # a fizzled task has told the store, and its children go on


def recover(store: Store, launchpad: LaunchPad, name: str, *, patience_s: float = CLUSTER_PATIENCE_S) -> bool:
    """Make the present round of a campaign able to run again; whether anything had to be done.

    Parameters
    ----------
    patience_s
        How long a state that belongs between two steps of a live worker may last: seconds if all workers are
        local (their death is seen at once), beyond the lease if they are not; 0 if there are none.
    """
    freed = sum(part.break_dead_leases(name) for part in (store.labels, store.explorers, store.campaigns))
    document = store.campaigns.get(name)
    if document["state"] != RUNNING:
        return freed > 0
    with store.campaigns.leased(name) as mine:
        if not mine:
            return freed > 0
        round_ = store.campaigns.get(name)["round"]
        broken = any(
            not _can_go_on(store, launchpad, workflow, patience_s)
            for workflow in launchpad.workflows.find({"metadata.campaign": name, "metadata.round": round_})
        )
        if broken:
            set_aside(launchpad, name, round_)
        added = add_round(store, launchpad, name)
    if broken:
        key = f"recovered-{datetime.now(UTC).isoformat()}"
        store.events.add(name, key, "recovered", round_, leases=freed)
    return broken or added or freed > 0


def _can_go_on(store: Store, launchpad: LaunchPad, workflow: dict[str, Any], patience_s: float) -> bool:
    """Whether a workflow changed just now, or is consistent and its running fireworks have live workers."""
    fireworks = {
        str(f["fw_id"]): f
        for f in launchpad.fireworks.find(
            {"fw_id": {"$in": workflow["nodes"]}},
            {"fw_id": 1, "state": 1, "updated_on": 1, "created_on": 1, "launches": 1, "spec.explorer": 1,
             "spec.label": 1, "spec.campaign": 1, "spec._category": 1},
        )
    }  # fmt: skip
    newest = max(map(_changed, [workflow, *fireworks.values()]))
    if (datetime.now(UTC) - newest).total_seconds() < patience_s:
        return True
    states = {key: f["state"] for key, f in fireworks.items()}
    if workflow.get("locked") or states != workflow["fw_states"]:
        return False
    if all(state in ("COMPLETED", "FIZZLED") for state in states.values()):
        return False  # the round ended without beginning the next one
    return all(f["state"] in HEALTHY or _has_live_worker(store, launchpad, f) for f in fireworks.values())


def _has_live_worker(store: Store, launchpad: LaunchPad, firework: dict[str, Any]) -> bool:
    """Whether a lease stands behind a running firework; what waits in a cluster's queue is left alone."""
    if firework["state"] in ("PAUSED", "DEFUSED", "ARCHIVED"):
        return True  # a person did that
    if firework["state"] == "RESERVED":
        return launchpad.launches.find_one({"launch_id": {"$in": firework["launches"]}}) is not None
    spec = firework["spec"]
    holder: dict[str, Any] | None
    if "label" in spec:
        holder = store.labels.get(ObjectId(spec["label"]))
    elif "explorer" in spec:
        holder = store.explorers.collection.find_one(
            {"campaign": spec["campaign"], "index": spec["explorer"]}
        )
    else:
        return False  # select and train hold the campaign's lease, which the caller holds
    lease = holder["lease"] if holder else None
    return lease is not None and lease["until"].replace(tzinfo=UTC) > datetime.now(UTC)


def _changed(document: dict[str, Any]) -> datetime:
    """When FireWorks last touched a document; it stores times as text or as dates."""
    value = document.get("updated_on") or document["created_on"]
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time if time.tzinfo else time.replace(tzinfo=UTC)
