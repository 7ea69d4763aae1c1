"""Train: refit the potential to all labels, then end the campaign or begin its next round."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from typing import Any

from fireworks import FWAction, explicit_serialize

from alflow.config import Campaign
from alflow.mtp import mtp_from_text, mtp_to_text
from alflow.mtp.fitting import FitSettings, fit
from alflow.selection import ActiveSet
from alflow.store import Store
from alflow.store.campaigns import RUNNING
from alflow.store.labels import FAILED, REJECTED
from workflows.active_learning import add_round
from workflows.stop_rules import Progress, why_stop
from workflows.tasks.base import CampaignTask

POLL_S = 0.5


@explicit_serialize
class TrainTask(CampaignTask):
    """The end of a round; it advances the campaign's round once."""

    def work(self, store: Store, campaign: str, round_: int) -> FWAction:
        while not self._is_over(store, campaign, round_):
            with store.campaigns.leased(campaign) as mine:
                if mine:
                    _end_round(store, store.campaigns.config(campaign), round_)
                    add_round(store, self.launchpad, campaign)
            if not mine:
                time.sleep(POLL_S)
        newest = store.potentials.latest(campaign)
        return FWAction(stored_data={} if newest is None else {k: newest[k] for k in ("version", "errors")})

    @staticmethod
    def _is_over(store: Store, campaign: str, round_: int) -> bool:
        document = store.campaigns.get(campaign)
        return document["round"] > round_ or document["state"] != RUNNING


def _end_round(store: Store, config: Campaign, round_: int) -> None:
    """Refit if there are new labels, apply the stop rules, advance. The caller holds the campaign's lease."""
    name = config.name
    document = store.campaigns.get(name)
    if document["round"] > round_ or document["state"] != RUNNING:
        return
    learned = _refit(store, config, round_)
    explorers = store.explorers.all(name)
    waiting = [run for run in explorers if run["state"] in ("ready", "paused")]
    barren = document["barren"] + 1 if waiting and not learned and round_ > 0 else 0
    quiet = document["quiet"] + 1 if not waiting and not learned else 0
    progress = Progress(
        round=round_,
        labels=store.labels.counts(name)["done"],
        explorer_states=[run["state"] for run in explorers],
        force_rmse_eV_A=[p["errors"]["force_rmse_eV_A"] for p in store.potentials.history(name)],
        cpu_hours=document["cpu_seconds"] / 3600,
        barren=barren,
        quiet=quiet,
        last_failure=_last_failure(store, name, round_) or _pause(waiting),
    )
    end = why_stop(config.stop, progress)
    if end is not None:
        store.events.add(name, f"ended-{round_}", "ended", round_, state=end[0], reason=end[1])
        store.campaigns.end(name, *end)
        return
    if not waiting:
        store.explorers.start_again(name, passes=1 + max(run["passes"] for run in explorers))
    store.campaigns.advance(name, round_, barren=barren, quiet=quiet)


def _refit(store: Store, config: Campaign, round_: int) -> bool:
    """Fit a new version to all finished labels; False if there is nothing new."""
    name = config.name
    labels = store.labels.done(name)
    newest = store.potentials.latest(name)
    if not labels or (newest is not None and set(labels) == set(store.potentials.label_ids(newest))):
        return newest is not None and newest["round"] == round_
    began = time.monotonic()
    structures = store.labels.structures(labels)
    version = 1 if newest is None else newest["version"] + 1
    start = (
        None
        if newest is None
        else mtp_from_text(store.potentials.mtp(name, newest["version"]), config.species, "")
    )
    result = fit(
        structures,
        species=config.species,
        level=config.potential.level,
        cutoff_A=config.potential.cutoff_A,
        min_distance_A=config.potential.min_distance_A,
        settings=_fit_settings(config, refit=start is not None),
        start=start,
    )
    mtp = mtp_to_text(result.potential)
    potential = mtp_from_text(mtp, config.species, "")  # the active set belongs to what explorers will read
    active_set = ActiveSet.from_structures(potential, structures, config.selection.mode)
    store.potentials.add(
        name,
        version,
        mtp=mtp,
        active_set=active_set.to_bytes(),
        labels=labels,
        errors=_plain(dataclasses.asdict(result.train)),
        round=round_,
        loss=result.loss,
        seconds=time.monotonic() - began,
    )
    return True


def _fit_settings(config: Campaign, *, refit: bool) -> FitSettings:
    settings = config.fit.model_dump()
    refit_iterations = settings.pop("refit_iterations")
    if refit:
        settings.update(max_iterations=refit_iterations, starts=1)
    return FitSettings(
        **settings,
        radial_basis_size=config.potential.radial_basis_size,
        threads=len(os.sched_getaffinity(0)),
    )


def _plain(errors: dict[str, Any]) -> dict[str, Any]:
    return {
        key: float(value) for key, value in errors.items() if math.isfinite(value) and key != "structures"
    }


def _last_failure(store: Store, name: str, round_: int) -> str:
    failures = [label for label in store.labels.find(name) if label["state"] in (FAILED, REJECTED)]
    recent = [label["reason"] for label in failures if label["round"] == round_]
    return f"the last one: {recent[-1]}" if recent else ""


def _pause(waiting: list[dict[str, Any]]) -> str:
    reasons = [f"{run['name']} waits since {run['reason']}" for run in waiting if run["reason"]]
    return reasons[0].rstrip(".") if reasons else ""
