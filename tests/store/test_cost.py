from __future__ import annotations

import os
import subprocess
import sys

import pytest

from alflow.campaign.kinds import CampaignSettings
from alflow.states import Role
from alflow.store import Store
from alflow.store.cost import Clocks, Cost, Meter, costs_of, processor_hours, total


class FakeClocks:
    """Two clocks that go as far as they are told."""

    def __init__(self) -> None:
        self.processor_s, self.wall_s = 100.0, 7000.0

    def __call__(self) -> Clocks:
        return Clocks(self.processor_s, self.wall_s)

    def go(self, processor_s: float, wall_s: float) -> None:
        self.processor_s += processor_s
        self.wall_s += wall_s


def test_waiting_is_not_work() -> None:
    clocks = FakeClocks()
    meter = Meter(clocks)
    clocks.go(3.0, 4.0)
    with meter.waiting():
        clocks.go(0.25, 30.0)
    clocks.go(1.0, 1.5)
    with pytest.raises(ZeroDivisionError), meter.waiting():
        clocks.go(0.25, 10.0)
        raise ZeroDivisionError
    assert meter.cost() == Cost(processor_s=4.0, wall_s=5.5, waiting_s=40.0)


def test_processor_time_of_ended_children_counts() -> None:
    before = os.times()
    meter = Meter()
    subprocess.run([sys.executable, "-c", "sum(range(10**6))"], check=True)
    spent_s = os.times().children_user - before.children_user
    assert spent_s > 0
    assert meter.cost().processor_s >= spent_s - 1e-6  # rounding


def test_costs_of_a_campaign_add_up_by_role(store: Store, campaign: CampaignSettings) -> None:
    store.campaigns.create(campaign)
    assert costs_of(store.campaigns.get("cu")) == dict.fromkeys(Role, Cost())
    store.campaigns.add_cost("cu", Role.LABEL, Cost(3600.0, 10.0, 5.0))
    store.campaigns.add_cost("cu", Role.LABEL, Cost(1800.0, 20.0, 0.0))
    store.campaigns.add_cost("cu", Role.TRAIN, Cost(1800.0, 1.0, 2.0))
    document = store.campaigns.get("cu")
    assert costs_of(document)[Role.LABEL] == Cost(5400.0, 30.0, 5.0)
    assert total(costs_of(document)) == Cost(7200.0, 31.0, 7.0)
    assert processor_hours(document) == 2.0
