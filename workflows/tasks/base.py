"""What all tasks of a campaign share: the store, the time they took, and what happens when one breaks."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from fireworks import FiretaskBase, Firework, FWAction
from fireworks.utilities.fw_serializers import load_object

from alflow.store import Store
from alflow.store.campaigns import FAILED

ROLES = {
    "explore": "explore",
    "gather": "explore",
    "relax": "explore",
    "select": "train",
    "label": "label",
    "train": "train",
}  # task → FireWorks category


class CampaignTask(FiretaskBase):
    """A task of a campaign's round; the LaunchPad's database is the store's."""

    required_params: ClassVar[list[str]] = ["campaign", "round"]

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:
        """Do the work once; an error that nobody expected ends the campaign with its text as the reason."""
        store = Store(self.launchpad.db)
        began = time.monotonic()
        try:
            return self.work(store, self["campaign"], self["round"])
        except Exception as error:
            self.on_error(store, f"{type(error).__name__}: {error}")
            raise
        finally:
            store.campaigns.add_cpu_seconds(self["campaign"], time.monotonic() - began)

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        """What the task does."""
        raise NotImplementedError

    def on_error(self, store: Store, message: str) -> None:
        """Note an unexpected error where a person looks for it."""
        kind = type(self).__name__.removesuffix("Task").lower()
        store.campaigns.end(self["campaign"], FAILED, f"{kind} of round {self['round']} broke: {message}")


def firework(task: str, title: str, *, campaign: str, round_: int, **parameters: Any) -> Firework:
    """A firework of one of the tasks in `ROLES` with its category, readable on the dashboard."""
    class_name = f"workflows.tasks.{task}.{task.capitalize()}Task"
    fire_task = load_object(
        {"_fw_name": f"{{{{{class_name}}}}}", "campaign": campaign, "round": round_, **parameters}
    )
    spec = {
        "_category": ROLES[task],
        "_add_launchpad_and_fw_id": True,
        "_allow_fizzled_parents": True,
        "campaign": campaign,
        "round": round_,
        **parameters,
    }
    return Firework(fire_task, spec=spec, name=f"{campaign} · round {round_} · {title}")
