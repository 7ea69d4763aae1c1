"""Explore: run one explorer until it extrapolates too far or ends."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, cast

from fireworks import FWAction, explicit_serialize

from alflow.campaign.sections import Selection
from alflow.explorers import Outcome
from alflow.explorers.registry import EXPLORERS
from alflow.potentials import PotentialCalculator
from alflow.results.stored_potentials import read_active_set, read_potential
from alflow.selection.random_frames import RandomFrames, Validation
from alflow.states import Role, RunState
from alflow.store import Store
from alflow.store.leased_work import is_own
from workflows.explorer_host import StoreHost
from workflows.tasks.base import CampaignTask


class ExploringCampaign(Protocol):
    """The keys that exploring needs from a campaign file of any kind."""

    @property
    def selection(self) -> Selection:
        """The thresholds of the grade."""
        ...

    @property
    def validation(self) -> Validation:
        """Frames that are kept for validation."""
        ...


@explicit_serialize
class ExploreTask(CampaignTask):
    """Run one explorer in a round."""

    role = Role.EXPLORE
    required_params: ClassVar[list[str]] = ["campaign", "round", "explorer"]

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        key = (campaign, self["explorer"], round_)
        run = self.wait_for(lambda: store.explorers.claim(*key), lambda: store.explorers.is_over(*key))
        if run is None:
            return FWAction()
        with store.explorers.work.held(run):
            version = _newest_version(store, campaign)
            outcome = _explore(store, run, round_, version)
            store.explorers.complete(
                run,
                round_,
                RunState(outcome.state),
                outcome.reason or None,
                version=version,
                results=outcome.results,
                structures=outcome.structures,
            )
        facts = {"explorer": run["name"], "state": outcome.state, "reason": outcome.reason}
        store.events.add(campaign, f"explored-{round_}-{run['index']}", "explored", round_, **facts)
        return FWAction(stored_data=facts)

    def document(self, store: Store) -> dict[str, Any] | None:
        return store.explorers.get(self["campaign"], self["explorer"])

    def on_error(self, store: Store, message: str) -> None:
        run = store.explorers.get(self["campaign"], self["explorer"])
        if run is not None and is_own(run["lease"]):
            store.explorers.complete(run, self["round"], RunState.FAILED, message)


def _explore(store: Store, run: dict[str, Any], round_: int, version: int) -> Outcome:
    config = store.campaigns.config(run["campaign"])
    campaign = cast(ExploringCampaign, config)
    kept = RandomFrames.of_run(
        campaign.validation,
        config.name,
        store.explorers.count(config.name),
        run["index"],
        run["passes"],
        run["steps"],
    )
    explorer = EXPLORERS.get(run["kind"])
    calculator = PotentialCalculator(
        read_potential(store, config.name, version),
        active_set=read_active_set(store, config.name, version),
    )
    return explorer.run(
        explorer.RunSettings.model_validate(run["settings"]),
        store.explorers.start_structures(run),
        store.explorers.checkpoint(run),
        calculator,
        StoreHost(
            store,
            run,
            round_,
            control=campaign.selection,
            version=version,
            sampled=kept.is_kept if campaign.validation.labels else None,
        ),
    )


def _newest_version(store: Store, campaign: str) -> int:
    newest = store.potentials.latest(campaign)
    if newest is None:
        raise RuntimeError("there is no potential yet")
    version: int = newest["version"]
    return version
