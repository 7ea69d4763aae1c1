"""The cost of a campaign, by role."""

from __future__ import annotations

from collections.abc import Mapping

from alflow.results.table import Table
from alflow.states import Role
from alflow.store.cost import Cost


def costs_table(costs: Mapping[Role, Cost]) -> Table:
    """Processor time, wall time of the work and waiting, in seconds, by role."""
    rows = [(str(role), cost.processor_s, cost.wall_s, cost.waiting_s) for role, cost in costs.items()]
    return Table("Cost", ("role", "processor, s", "wall, s", "waiting, s"), rows)
