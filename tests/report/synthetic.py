"""A made-up campaign of a plausible shape, for the tests of the report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from alflow.report import CampaignPage
from alflow.results import (
    CampaignRecord,
    Cost,
    LabelRecord,
    ParitySet,
    Quantity,
    RunRecord,
    VersionRecord,
)
from alflow.states import CampaignState, LabelKind, LabelState, Role, RunState
from workflows.active_learning.page import ActiveLearningPage

LEARNED_AT = (3, 11, 26, 60, 140, 300, 700, 1500, 3100, 6200, 14000)


def synthetic_run(name: str, temperature_K: float, seed: int, steps: int = 20000) -> RunRecord:
    rng = np.random.default_rng(seed)
    step = np.arange(0, steps, 4)
    gamma = 0.5 + 0.25 * np.abs(rng.normal(size=len(step)))
    for at in LEARNED_AT:
        near = (step > at - 40) & (step <= at)
        gamma[near] *= np.linspace(1, 12, near.sum())
    temperature = temperature_K * (1 - 0.5 * np.exp(-step / 800)) + 12 * rng.normal(size=len(step))
    energy = -1.9 + 0.02 * (1 - np.exp(-step / 800)) + 0.001 * rng.normal(size=len(step))
    return RunRecord(
        index=seed,
        name=name,
        kind="md",
        state=RunState.FINISHED,
        reason=None,
        settings={"ensemble": "nvt", "temperature_K": temperature_K, "timestep_fs": 1.0, "seed": seed},
        round=len(LEARNED_AT),
        step=steps,
        length=steps,
        progress=steps / 1000,
        whole=steps / 1000,
        unit="ps",
        steps=step,
        along=step / 1000,
        grades=gamma,
        quantities=[
            Quantity("temperature_K", "temperature (K)", temperature, (temperature_K, temperature_K)),
            Quantity("energy_eV", "potential energy (eV per atom)", energy),
            Quantity("volume_A3", "volume (Å³ per atom)", np.full(len(step), 20.0)),
        ],
    )


def synthetic_band(name: str, barrier_eV: float, steps: int = 60) -> RunRecord:
    """A run of another kind: another axis, other columns, a result."""
    step = np.arange(steps)
    force = 2.0 * np.exp(-step / 15)
    return RunRecord(
        index=9,
        name=name,
        kind="neb",
        state=RunState.PAUSED,
        reason="γ = 11 above γ_break = 10",
        settings={"images": 7, "spring_eV_A2": 0.1},
        round=3,
        step=steps,
        length=None,
        progress=float(steps),
        whole=None,
        unit="steps",
        results={"barrier_eV": barrier_eV},
        steps=step,
        along=step.astype(float),
        grades=0.5 + 10 * np.exp(-step / 4),
        quantities=[Quantity("max_force_eV_A", "largest force (eV/Å)", force)],
    )


def synthetic_parity(count: int, error: float, seed: int) -> ParitySet:
    rng = np.random.default_rng(seed)
    energies = -1.88 + 0.01 * rng.normal(size=count)
    forces = 0.3 * rng.normal(size=count * 128 * 3)
    return ParitySet(
        energies,
        energies + error / 20 * rng.normal(size=count),
        forces,
        forces + error * rng.normal(size=forces.size),
    )


def label(
    round_: int, number: int, state: LabelState = LabelState.DONE, reason: str | None = None, **found: Any
) -> LabelRecord:
    kind = LabelKind.EXTRAPOLATIVE if round_ else LabelKind.INITIAL
    return LabelRecord(round_, number, kind, state, reason, "Li128", **found)


def synthetic_report(runs: int = 1) -> ActiveLearningPage:
    names = [f"li-{300 + 100 * number}K" for number in range(runs)]
    labels = [label(0, number, wall_time_s=2.1) for number in range(1, 7)]
    versions = []
    for round_, at in enumerate(LEARNED_AT, start=1):
        labels += [
            label(round_, 1 + k, explorer=name, step=at + 3 * k, grade=4.0 + 8 / (k + 1), wall_time_s=2.3)
            for k, name in enumerate(names)
        ]
        error = 0.02 + 0.1 / round_
        versions.append(
            VersionRecord(
                version=round_,
                round=round_ - 1,
                labels=6 + round_ * runs,
                energy_rmse_eV_per_atom=0.0002 + 0.0001 * round_**0.5,
                force_rmse_eV_A=0.008 + 0.002 * round_**0.5,
                fit_s=3.0,
                kind="mtp",
                unseen=synthetic_parity(runs, error, round_),
            )
        )
    found = {"explorer": names[0], "step": 61, "grade": 14.0}
    labels.append(label(4, 2, LabelState.FAILED, "SCF did not converge in 200 steps", **found))
    labels.append(label(6, 2, LabelState.REJECTED, "largest force 81.2 eV/Å is above the limit 50", **found))
    campaign = CampaignRecord(
        name="lithium-300K",
        kind="active-learning",
        title="active learning",
        state=CampaignState.FINISHED,
        reason="all explorers finished",
        rounds=len(LEARNED_AT),
        began=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        ended=datetime(2026, 1, 2, 3, 9, tzinfo=UTC),
        species=["Li"],
        cost={
            Role.EXPLORE: Cost(95.0, 90.0, 4.0),
            Role.LABEL: Cost(58.0, 62.0, 41.0),
            Role.TRAIN: Cost(33.0, 17.0, 0.0),
        },
        labels=labels,
        levels=[
            {
                "code": "DFTpy",
                "functional": "LDA + Wang-Teller",
                "spacing_A": 0.3,
                "smearing": {"kind": "none"},
            }
        ],
        config={"name": "lithium-300K", "species": ["Li"], "potential": {"level": 12, "cutoff_A": 6.0}},
        software={"alflow": "0.1.0", "numpy": "2.0"},
    )
    trained = synthetic_parity(6 + len(LEARNED_AT) * runs, 0.012, 99)
    return ActiveLearningPage(
        common=CampaignPage(campaign, versions, trained),
        gamma_save=2.1,
        gamma_break=10.0,
        runs=[synthetic_run(name, 300 + 100 * k, k) for k, name in enumerate(names)],
    )
