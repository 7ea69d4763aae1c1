"""Versions of a campaign's potential, compared with the labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from ase import Atoms
from bson import ObjectId
from numpy.typing import NDArray

from alflow.potentials.estimates import EstimatedErrors, estimate_errors
from alflow.potentials.predictions import Prediction, predict
from alflow.potentials.protocol import Potential
from alflow.results.stored_potentials import read_potential
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
    return parity(read_potential(store, campaign, version["version"]), store.labels.structures(labels))


def _validate(
    store: Store, campaign: str, version: Mapping[str, Any], held_out: ValidationSet
) -> EstimatedErrors | None:
    """Error of a version on the validation frames; None without any."""
    if not held_out.labels:
        return None
    return estimate_errors(
        read_potential(store, campaign, version["version"]), held_out.structures, held_out.weights
    )


def parity(potential: Potential, structures: Sequence[Atoms]) -> ParitySet:
    """Predicted and labelled energies per atom, force and stress components, of those that are known."""
    return parity_of(predict(potential, structures))


def parity_of(predictions: Sequence[Prediction]) -> ParitySet:
    """Predicted and labelled energies per atom, force and stress components, of those that are known."""
    energies = [(p.labels.energy / p.labels.atoms, p) for p in predictions if p.labels.energy is not None]
    forces = [(p.labels.forces, p) for p in predictions if p.labels.forces is not None]
    stresses = [(stress, p) for p in predictions if (stress := p.labelled_stress) is not None]
    return ParitySet(
        energies=np.array([energy for energy, _ in energies]),
        predicted_energies=np.array([p.energy / p.labels.atoms for _, p in energies]),
        forces=_joined(labelled for labelled, _ in forces),
        predicted_forces=_joined(p.forces for _, p in forces),
        stresses=_joined(labelled for labelled, _ in stresses),
        predicted_stresses=_joined(p.virial / p.atoms.get_volume() for _, p in stresses),
    )


def _joined(arrays: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(0), *(array.ravel() for array in arrays)])


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")
