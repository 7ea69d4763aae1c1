"""What a campaign has cost, by role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alflow.results.table import Table
from alflow.states import Role
from alflow.store.cost import Cost


def costs_of(document: Mapping[str, Any]) -> dict[Role, Cost]:
    """The cost that a campaign's document holds, by role; zeros where nothing was done yet."""
    stored = document.get("cost") or {}
    return {role: Cost(**stored.get(role, {})) for role in Role}


def total(costs: Mapping[Role, Cost]) -> Cost:
    """The sum over all roles."""
    return sum(costs.values(), Cost())


def costs_table(costs: Mapping[Role, Cost]) -> Table:
    """Processor time, wall time of the work and waiting, in seconds, by role."""
    rows = [(str(role), cost.processor_s, cost.wall_s, cost.waiting_s) for role, cost in costs.items()]
    return Table("Cost", ("role", "processor, s", "wall, s", "waiting, s"), rows)
