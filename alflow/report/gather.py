"""Collect the data of a report from the store."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from typing import Any

import numpy as np
from ase import Atoms

from alflow.potentials import evaluate
from alflow.potentials.mtp import MomentTensorPotential, mtp_from_text
from alflow.report.data import DONE, LabelRecord, ParitySet, ReportData, RunRecord, VersionRecord

PACKAGES = ("alflow", "ase", "fireworks", "numpy", "pymongo", "scipy")
HISTORY = ("step", "extrapolation_grade", "temperature_K", "energy_eV", "volume_A3")


def gather(store: Any, campaign: str) -> ReportData:
    """Everything that the report of a campaign shows; predicts each label with the potential before it.

    Parameters
    ----------
    store
        An `alflow.store.Store`. (The report stands beside the store and does not import it.)
    campaign
        Name of the campaign.

    Raises
    ------
    InputError
        There is no campaign of this name.
    """
    document = store.campaigns.get(campaign)
    config = document["config"]
    labels = store.labels.find(campaign)
    levels = {label["level_hash"]: label["level"] for label in labels}
    versions = _versions(store, campaign, labels, config["species"])
    label_s = sum(label.get("wall_time_s") or 0.0 for label in labels)
    train_s = sum(version.seconds for version in versions)
    return ReportData(
        campaign=campaign,
        state=document["state"],
        reason=document["reason"],
        rounds=document["round"],
        began=document["created"],
        ended=document.get("ended"),
        species=config["species"],
        gamma_save=config["selection"]["gamma_save"],
        gamma_break=config["selection"]["gamma_break"],
        runs=[_run(store, campaign, run) for run in store.explorers.all(campaign)],
        labels=_labels(store, campaign, labels, list(levels)),
        versions=versions,
        trained=_trained(store, campaign, config["species"]),
        cost_s={
            "explore": max(document["cpu_seconds"] - label_s - train_s, 0.0),
            "label": label_s,
            "train": train_s,
        },
        levels=list(levels.values()),
        config=config,
        software=software(labels),
    )


def _run(store: Any, campaign: str, run: dict[str, Any]) -> RunRecord:
    settings = run["settings"]
    start = store.explorers.collection.find_one({"_id": run["_id"]}, {"start.numbers.shape": 1})
    return RunRecord(
        name=run["name"],
        state=run["state"],
        reason=run["reason"],
        ensemble=settings["ensemble"],
        target_temperature_K=settings["temperature_K"],
        timestep_fs=settings["timestep_fs"],
        atoms=start["start"]["numbers"]["shape"][0],
        step=run["step"],
        steps=run["steps"],
        passes=run["passes"],
        history=store.explorers.history(campaign, run["index"]) or {name: np.zeros(0) for name in HISTORY},
    )


def _labels(
    store: Any, campaign: str, labels: Sequence[dict[str, Any]], levels: Sequence[str]
) -> list[LabelRecord]:
    ids = [label["configuration"] for label in labels]
    found = store.configurations.collection.find({"_id": {"$in": ids}}, {"formula": 1, "source": 1})
    configurations = {configuration["_id"]: configuration for configuration in found}
    records = []
    for label in labels:
        configuration = configurations[label["configuration"]]
        # another campaign may have met the structure first: then its run and step mean nothing here
        own = configuration["source"].get("campaign") == campaign
        source = configuration["source"] if own else {}
        records.append(
            LabelRecord(
                round=label["round"],
                number=label["number"],
                state=label["state"],
                reason=label["reason"],
                formula=configuration["formula"],
                level=levels.index(label["level_hash"]),
                explorer=source.get("explorer"),
                step=source.get("step"),
                grade=source.get("extrapolation_grade"),
                attempts=label["attempts"],
                wall_time_s=label.get("wall_time_s"),
            )
        )
    return records


def _versions(
    store: Any, campaign: str, labels: Sequence[dict[str, Any]], species: Sequence[str]
) -> list[VersionRecord]:
    history = store.potentials.history(campaign)
    ends = [version["round"] for version in history[1:]] + [np.inf]
    records = []
    for version, end in zip(history, ends, strict=True):
        fresh = [
            label["_id"]
            for label in labels
            if label["state"] == DONE and version["round"] < label["round"] <= end
        ]
        errors = version["errors"]
        records.append(
            VersionRecord(
                version=version["version"],
                round=version["round"],
                labels=version["label_count"],
                energy_rmse_eV_per_atom=errors["energy_rmse_eV_per_atom"],
                force_rmse_eV_A=errors["force_rmse_eV_A"],
                seconds=version["seconds"],
                unseen=_predict(store, campaign, version["version"], species, store.labels.structures(fresh)),
            )
        )
    return records


def _trained(store: Any, campaign: str, species: Sequence[str]) -> ParitySet:
    newest = store.potentials.latest(campaign)
    if newest is None:
        return ParitySet.empty()
    structures = store.labels.structures(store.potentials.label_ids(newest))
    return _predict(store, campaign, newest["version"], species, structures)


def _predict(
    store: Any, campaign: str, version: int, species: Sequence[str], structures: Sequence[Atoms]
) -> ParitySet:
    if not structures:
        return ParitySet.empty()
    text = store.potentials.mtp(campaign, version)
    return parity(mtp_from_text(text, species, f"version {version} of {campaign}"), structures)


def parity(potential: MomentTensorPotential, structures: Sequence[Atoms]) -> ParitySet:
    """Predicted and labelled energies per atom and force components of labelled structures."""
    evaluation = evaluate(potential, structures)
    assert evaluation.forces is not None
    sizes = np.array([len(atoms) for atoms in structures])
    return ParitySet(
        energies=np.array([atoms.get_potential_energy() for atoms in structures]) / sizes,
        predicted_energies=evaluation.energy / sizes,
        forces=np.concatenate([atoms.get_forces() for atoms in structures]).ravel(),
        predicted_forces=evaluation.forces.ravel(),
    )


def software(labels: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Versions of Python, of the packages that matter and of the codes that labelled."""
    codes = {label["code"]: label["code_version"] for label in labels if label.get("code")}
    packages = {name: installed_version(name) for name in PACKAGES}
    return {"Python": platform.python_version(), **packages, **codes}
