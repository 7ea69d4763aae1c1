"""Versions of a campaign's potential, compared with the labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from ase import Atoms
from bson import ObjectId
from numpy.typing import NDArray

from alflow.potentials import evaluate
from alflow.potentials.estimates import EstimatedErrors, estimate_errors
from alflow.potentials.labels import labels_of
from alflow.potentials.protocol import Potential
from alflow.potentials.registry import POTENTIALS
from alflow.results.validation import FEWEST_FRAMES, ValidationSet, read_validation_set
from alflow.states import LabelState
from alflow.store import Store

NEWEST_ROUNDS = 3


@dataclass(frozen=True)
class ParitySet:
    """Predicted against labelled values.

    Attributes
    ----------
    energies, predicted_energies : (n,)
        Energies per atom, eV.
    forces, predicted_forces : (k,)
        Force components, eV/Å.
    stresses, predicted_stresses : (s,)
        Stress components of the structures with a labelled stress, eV/Å³, ASE's sign.
    """

    energies: NDArray[np.float64]
    predicted_energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    predicted_forces: NDArray[np.float64]
    stresses: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    predicted_stresses: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def empty(cls) -> ParitySet:
        """A set without structures."""
        return cls(*(np.zeros(0) for _ in range(4)))

    @classmethod
    def joined(cls, parts: Sequence[ParitySet]) -> ParitySet:
        """Join all parts in one set."""
        return cls(
            *(
                np.concatenate([np.zeros(0), *(getattr(part, each.name) for part in parts)])
                for each in fields(cls)
            )
        )

    @property
    def energy_rmse_eV_per_atom(self) -> float:
        """Root-mean-square error of the energies; NaN if there is no structure."""
        return _rms(self.predicted_energies - self.energies)

    @property
    def force_rmse_eV_A(self) -> float:
        """Root-mean-square error of the force components; NaN if there is no structure."""
        return _rms(self.predicted_forces - self.forces)

    @property
    def stress_rmse_eV_A3(self) -> float:
        """Root-mean-square error of the stress components; NaN if no structure has a stress."""
        return _rms(self.predicted_stresses - self.stresses)


@dataclass(frozen=True)
class VersionRecord:
    """A version of the potential, with its errors on the training set and on labels that came later.

    Attributes
    ----------
    version
    round
        The round at the end of which it was fitted.
    labels
        Number of training labels.
    energy_rmse_eV_per_atom, force_rmse_eV_A
        Training errors.
    fit_s
        Wall time of the fit.
    kind
        Kind of potential.
    stage
        Stage of a screening to which it belongs, from 0.
    unseen
        The labels between this version and the next, which this version predicts without having been trained
        on them.
    validation
        Error on today's validation frames; None without any.
    """

    version: int
    round: int
    labels: int
    energy_rmse_eV_per_atom: float
    force_rmse_eV_A: float
    fit_s: float
    kind: str
    stage: int = 0
    unseen: ParitySet = field(default_factory=ParitySet.empty)
    validation: EstimatedErrors | None = None

    @property
    def judged_validation(self) -> EstimatedErrors | None:
        """The validation error; None also if there are too few frames to say anything."""
        found = self.validation
        return found if found is not None and found.frames >= FEWEST_FRAMES else None


def all_unseen(versions: Sequence[VersionRecord]) -> ParitySet:
    """All labels; each is predicted by the newest version that was not trained on it."""
    return ParitySet.joined([version.unseen for version in versions])


def newest_unseen(versions: Sequence[VersionRecord]) -> ParitySet:
    """The labels of the newest rounds with labels; each is predicted by a version not trained on it."""
    judged = [version.unseen for version in versions if version.unseen.energies.size]
    return ParitySet.joined(judged[-NEWEST_ROUNDS:])


def read_versions(store: Store, campaign: str) -> list[VersionRecord]:
    """All versions of a campaign's potential, oldest first; each predicts the labels that came after it."""
    history = store.potentials.history(campaign)
    labels = store.labels.find(campaign, state=LabelState.DONE)
    held_out = read_validation_set(store, campaign)
    drawn = set(held_out.labels)
    records = []
    for version, following in itertools.zip_longest(history, history[1:]):
        end = math.inf if following is None else following["round"]
        fresh = [
            label["_id"]
            for label in labels
            if version["round"] < label["round"] <= end and label["_id"] not in drawn
        ]
        records.append(
            VersionRecord(
                version=version["version"],
                round=version["round"],
                labels=version["label_count"],
                energy_rmse_eV_per_atom=version["errors"]["energy_rmse_eV_per_atom"],
                force_rmse_eV_A=version["errors"]["force_rmse_eV_A"],
                fit_s=version["seconds"],
                kind=version["kind"],
                stage=version["stage"],
                unseen=_predict(store, campaign, version, fresh),
                validation=_validate(store, campaign, version, held_out),
            )
        )
    return records


def read_trained(store: Store, campaign: str) -> ParitySet:
    """The newest version of a campaign's potential, compared with its own training labels."""
    newest = store.potentials.latest(campaign)
    if newest is None:
        return ParitySet.empty()
    return _predict(store, campaign, newest, store.potentials.label_ids(newest))


def _predict(store: Store, campaign: str, version: Mapping[str, Any], labels: list[ObjectId]) -> ParitySet:
    """Predictions of a version for labelled structures."""
    if not labels:
        return ParitySet.empty()
    return parity(_potential(store, campaign, version), store.labels.structures(labels))


def _validate(
    store: Store, campaign: str, version: Mapping[str, Any], held_out: ValidationSet
) -> EstimatedErrors | None:
    """Error of a version on the validation frames; None without any."""
    if not held_out.labels:
        return None
    return estimate_errors(_potential(store, campaign, version), held_out.structures, held_out.weights)


def _potential(store: Store, campaign: str, version: Mapping[str, Any]) -> Potential:
    number = version["version"]
    return POTENTIALS.get(version["kind"]).from_bytes(
        store.potentials.content(campaign, number),
        store.campaigns.config(campaign).species,
        f"version {number} of {campaign}",
    )


def parity(potential: Potential, structures: Sequence[Atoms]) -> ParitySet:
    """Predicted and labelled energies per atom, force and stress components, of those that are known."""
    evaluation = evaluate(potential, structures)
    assert evaluation.forces is not None
    sizes = np.array([len(atoms) for atoms in structures])
    labels = [labels_of(atoms) for atoms in structures]
    has_energy = np.array([label.energy is not None for label in labels], dtype=bool)
    has_forces = np.repeat([label.forces is not None for label in labels], sizes).astype(bool)
    energies = np.array([label.energy for label in labels if label.energy is not None])
    forces = [label.forces.ravel() for label in labels if label.forces is not None]
    stressed = [index for index, label in enumerate(labels) if label.virial is not None]
    volumes_A3 = np.array([structures[index].get_volume() for index in stressed])[:, None]
    virials = np.array([labels[index].virial for index in stressed]).reshape(-1, 6)
    return ParitySet(
        energies=energies / sizes[has_energy],
        predicted_energies=evaluation.energy[has_energy] / sizes[has_energy],
        forces=np.concatenate([np.zeros(0), *forces]),
        predicted_forces=evaluation.forces[has_forces].ravel(),
        stresses=(virials / volumes_A3).ravel(),
        predicted_stresses=(evaluation.voigt_virials[stressed] / volumes_A3).ravel(),
    )


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")
