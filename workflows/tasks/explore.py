"""Explore: run one explorer until it extrapolates too far or ends."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from ase import Atoms
from fireworks import FWAction, explicit_serialize

from alflow.campaign.sections import Campaign, Trajectory
from alflow.potentials import MTPCalculator
from alflow.simulation import Checkpoint, GradeControl, Guards, MDResult, MDSettings, run_md
from alflow.store import Store
from alflow.store.explorers import FAILED, FINISHED, PAUSED
from alflow.store.lease import renewed
from workflows.tasks.base import CampaignTask
from workflows.training import read_active_set, read_potential

POLL_S = 0.5
PASS_SEED_STEP = 1_000_003  # passes over the same explorers differ in their seeds
SHOWN_EVERY_S = 1.0


@explicit_serialize
class ExploreTask(CampaignTask):
    """One explorer's part in a round."""

    required_params: ClassVar[list[str]] = ["campaign", "round", "explorer"]

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        while (run := store.explorers.claim(campaign, self["explorer"], round_)) is None:
            if not store.explorers.is_taken(campaign, self["explorer"], round_):
                return FWAction()
            time.sleep(POLL_S)
        with renewed(store.explorers.collection, run["_id"], run["lease"]["token"]):
            config = store.campaigns.config(campaign)
            assert isinstance(config, Campaign)
            result = self._run(store, config, run, round_)
            state = FINISHED if result.state == "finished" else PAUSED
            store.explorers.complete(run, round_, state, result.reason or None)
        facts = {
            "explorer": run["name"],
            "state": state,
            "reason": result.reason,
            "step": result.checkpoint.step,
        }
        store.events.add(campaign, f"explored-{round_}-{run['index']}", "explored", round_, **facts)
        return FWAction(stored_data=facts)

    def _run(self, store: Store, config: Campaign, run: dict[str, Any], round_: int) -> MDResult:
        plan = Trajectory.model_validate(run["settings"])
        checkpoint = store.explorers.checkpoint(run)
        start = store.explorers.start_atoms(run) if checkpoint is None else Checkpoint.from_dict(checkpoint)
        shown = time.monotonic()

        def save(result: MDResult) -> None:
            candidates = [_with_origin(frame, run["name"]) for frame in result.saved]
            store.explorers.save_progress(
                run,
                round_,
                checkpoint=result.checkpoint.to_dict(),
                step=plan.steps if result.state == "finished" else result.checkpoint.step,
                candidates=candidates,
                history=result.history,
            )

        def show(step: int, _: dict[str, Any]) -> None:
            nonlocal shown
            if time.monotonic() - shown > SHOWN_EVERY_S:
                shown = time.monotonic()
                store.explorers.report_step(run, step)

        result = run_md(
            start,
            calculator(store, config),
            _md_settings(plan, run["passes"]),
            control=GradeControl(config.selection.gamma_save, config.selection.gamma_break),
            guards=Guards(**plan.guards.model_dump()),
            on_progress=show,
            on_checkpoint=save,
        )
        save(result)
        return result

    def on_error(self, store: Store, message: str) -> None:
        run = store.explorers.collection.find_one({"campaign": self["campaign"], "index": self["explorer"]})
        if run is not None and run["lease"] is not None:
            store.explorers.complete(run, self["round"], FAILED, message)


def calculator(store: Store, config: Campaign) -> MTPCalculator:
    """The newest potential of a campaign with its active set."""
    newest = store.potentials.latest(config.name)
    if newest is None:
        raise RuntimeError("there is no potential yet")
    version = newest["version"]
    return MTPCalculator(
        read_potential(store, config.name, config.species, version),
        active_set=read_active_set(store, config.name, version),
    )


def _md_settings(plan: Trajectory, passes: int) -> MDSettings:
    return MDSettings(
        ensemble=plan.ensemble,
        temperature_K=plan.temperature_K,
        pressure_GPa=plan.pressure_GPa,
        timestep_fs=plan.timestep_fs,
        steps=plan.steps,
        friction_per_fs=plan.friction_per_fs,
        seed=plan.seed + passes * PASS_SEED_STEP,
    )


def _with_origin(frame: Atoms, explorer: str) -> Atoms:
    frame.info["explorer"] = explorer
    return frame
