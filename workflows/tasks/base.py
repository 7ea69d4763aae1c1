"""Shared by all tasks of a campaign: the store, the measured cost, and the handling of errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from fireworks import FiretaskBase, Firework, FWAction

from alflow.states import CampaignState, Role
from alflow.store import Store
from alflow.store.cost import Meter
from alflow.store.leased_work import wait_for

Claimed = TypeVar("Claimed")
_log = logging.getLogger(__name__)


class CampaignTask(FiretaskBase):  # type: ignore[misc]
    """A task of a campaign's round; the LaunchPad's database is the store's.

    A kind of campaign in another package has its own tasks: subclasses with FireWorks'
    `explicit_serialize`, which workers import by the name of their module.

    Attributes
    ----------
    role
        Requirement of the task on its worker.
    """

    role: ClassVar[Role]
    required_params: ClassVar[list[str]] = ["campaign", "round"]
    meter: Meter

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:
        """Do the work once; an unexpected error ends the campaign with its text as the reason."""
        store = Store(self.launchpad.db)
        self.meter = Meter()
        try:
            return self.work(store, self["campaign"], self["round"])
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            _log.exception("%s broke", self._title)
            self.on_error(store, message)
            raise
        finally:
            store.campaigns.add_cost(self["campaign"], self.role, self.meter.cost())

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        """Do the task's work; idempotent."""
        raise NotImplementedError

    def document(self, store: Store) -> dict[str, Any] | None:
        """The document that the task works on: with a `lease` while it does, and the time when it `ended`.

        `workflows.recovery` uses it to know whether a worker is alive. The default is the choice of the
        round: such a task holds the campaign's lease while it works, as `do_once` does.
        """
        selected = store.events.get(self["campaign"], f"selected-{self['round']}")
        return None if selected is None else {"ended": selected["time"]}

    def wait_for(
        self, claim: Callable[[], Claimed | None], is_over: Callable[[], bool] = lambda: False
    ) -> Claimed | None:
        """Repeat a claim until it succeeds; None if the work is over. The time counts as waiting."""
        with self.meter.waiting():
            return wait_for(claim, is_over)

    def do_once(self, store: Store, step: Callable[[], None], is_over: Callable[[], bool]) -> None:
        """Do a step of the campaign under its lease, unless the step is already done.

        Another process may have done the step before this one gets the lease, so the step must check.
        """
        if is_over():
            return
        campaign = self.wait_for(lambda: store.campaigns.claim(self["campaign"]), is_over)
        if campaign is not None:
            with store.campaigns.held(campaign):
                step()

    def on_error(self, store: Store, message: str) -> None:
        """End the campaign with an unexpected error as the reason."""
        store.campaigns.end(self["campaign"], CampaignState.FAILED, f"{self._title} broke: {message}")

    @property
    def _title(self) -> str:
        return f"{type(self).__name__.removesuffix('Task').lower()} of round {self['round']}"


def firework(
    task: type[CampaignTask], title: str, *, campaign: str, round_: int, **parameters: Any
) -> Firework:
    """A firework of one task, in the category of its role and readable on the dashboard.

    Parameters
    ----------
    task
        Class of the task.
    title
        The firework's name within the round.
    **parameters
        The task's other parameters. The firework's spec holds them as well, for queries.
    """
    spec = {
        "_category": task.role.value,
        "_add_launchpad_and_fw_id": True,
        "_allow_fizzled_parents": True,
        "campaign": campaign,
        "round": round_,
        **parameters,
    }
    return Firework(
        task(campaign=campaign, round=round_, **parameters),
        spec=spec,
        name=f"{campaign} · round {round_} · {title}",
    )
