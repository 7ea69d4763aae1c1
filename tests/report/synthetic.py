"""A made-up campaign of a plausible shape, for the tests of the report."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from alflow.report import LabelRecord, ParitySet, ReportData, RunRecord, VersionRecord

LEARNED_AT = (3, 11, 26, 60, 140, 300, 700, 1500, 3100, 6200, 14000)


def synthetic_run(name: str, temperature_K: float, seed: int, steps: int = 20000) -> RunRecord:
    rng = np.random.default_rng(seed)
    step = np.arange(0, steps, 4)
    gamma = 0.5 + 0.25 * np.abs(rng.normal(size=len(step)))
    for at in LEARNED_AT:
        near = (step > at - 40) & (step <= at)
        gamma[near] *= np.linspace(1, 12, near.sum())
    temperature = temperature_K * (1 - 0.5 * np.exp(-step / 800)) + 12 * rng.normal(size=len(step))
    energy = 128 * (-1.9 + 0.02 * (1 - np.exp(-step / 800)) + 0.001 * rng.normal(size=len(step)))
    history = {
        "step": step,
        "extrapolation_grade": gamma,
        "temperature_K": temperature,
        "energy_eV": energy,
        "volume_A3": 128 * (20 + 0.1 * rng.normal(size=len(step))),
    }
    return RunRecord(name, "finished", None, "nvt", temperature_K, 1.0, 128, steps, steps, history)


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


def synthetic_report(runs: int = 1) -> ReportData:
    names = [f"li-{300 + 100 * number}K" for number in range(runs)]
    labels = [LabelRecord(0, number, "done", None, "Li128", 0, wall_time_s=2.1) for number in range(1, 7)]
    versions = []
    for round_, at in enumerate(LEARNED_AT, start=1):
        labels += [
            LabelRecord(round_, 1 + k, "done", None, "Li128", 0, name, at + 3 * k, 4.0 + 8 / (k + 1), 1, 2.3)
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
                seconds=3.0,
                unseen=synthetic_parity(runs, error, round_),
            )
        )
    labels.append(
        LabelRecord(4, 2, "failed", "SCF did not converge in 200 steps", "Li128", 0, names[0], 61, 14.0, 3)
    )
    labels.append(
        LabelRecord(
            6, 2, "rejected", "largest force 81.2 eV/Å is above the limit 50", "Li128", 0, names[0], 301, 90.0
        )
    )
    return ReportData(
        campaign="lithium-300K",
        state="finished",
        reason="all explorers finished",
        rounds=len(LEARNED_AT),
        began=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        ended=datetime(2026, 1, 2, 3, 9, tzinfo=UTC),
        species=["Li"],
        gamma_save=2.1,
        gamma_break=10.0,
        runs=[synthetic_run(name, 300 + 100 * k, k) for k, name in enumerate(names)],
        labels=labels,
        versions=versions,
        trained=synthetic_parity(6 + len(LEARNED_AT) * runs, 0.012, 99),
        cost_s={"explore": 95.0, "label": 58.0, "train": 33.0},
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
