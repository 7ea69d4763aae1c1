"""Files with labels and predictions side by side."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.files import write_completely
from alflow.potentials.predictions import Prediction
from alflow.structures.files import write_structures

SUFFIXES = (".extxyz", ".xyz", ".csv")
COLUMNS = ("structure", "group", "formula", "quantity", "unit", "atom", "component", "labelled", "predicted")
VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")


def check_predictions_path(path: Path) -> None:
    """Check the suffix of a predictions file.

    Raises
    ------
    InputError
        If it is not one of `SUFFIXES`.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"--predictions is '{path}', but its name must end in {', '.join(SUFFIXES)}")


def write_predictions(path: Path, predictions: Sequence[Prediction], groups: Sequence[str]) -> None:
    """Write labels and predictions: extended XYZ, or a table if the name ends in `.csv`.

    In extended XYZ, the labels are ASE's results; the predictions are `predicted_energy` (eV),
    `predicted_forces` (eV/Å) and `predicted_stress` (eV/Å³). The table has one row per labelled number, with
    structures and atoms numbered from 1.

    Parameters
    ----------
    groups
        The group of each prediction, for the table.
    """
    if path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, (prediction, group) in enumerate(zip(predictions, groups, strict=True), start=1):
            head = (number, group, prediction.atoms.get_chemical_formula())
            writer.writerows((*head, *row) for row in _rows(prediction))
        write_completely(path, text.getvalue())
    else:
        write_structures(path, [_with_predictions(prediction) for prediction in predictions])


def _rows(prediction: Prediction) -> Iterator[tuple[str, str, int | None, str | None, float, float]]:
    labels = prediction.labels
    if labels.energy is not None:
        yield "energy", "eV", None, None, labels.energy, prediction.energy
    if labels.forces is not None:
        for atom, pair in enumerate(zip(labels.forces.tolist(), prediction.forces.tolist(), strict=True)):
            for component, labelled, predicted in zip("xyz", *pair, strict=True):
                yield "force", "eV/Å", atom + 1, component, labelled, predicted
    if (labelled_stress := prediction.labelled_stress) is not None:
        stresses = labelled_stress, prediction.virial / prediction.atoms.get_volume()
        for component, labelled, predicted in zip(VOIGT, *(s.tolist() for s in stresses), strict=True):
            yield "stress", "eV/Å³", None, component, labelled, predicted


def _with_predictions(prediction: Prediction) -> Atoms:
    atoms: Atoms = prediction.atoms.copy()
    labels = prediction.labels
    known: Mapping[str, float | NDArray[np.float64] | None] = {
        "energy": labels.energy,
        "forces": labels.forces,
        "stress": prediction.labelled_stress,
    }
    atoms.calc = SinglePointCalculator(atoms, **{k: v for k, v in known.items() if v is not None})
    atoms.info["predicted_energy"] = prediction.energy
    atoms.arrays["predicted_forces"] = prediction.forces
    if prediction.stress is not None:
        atoms.info["predicted_stress"] = prediction.stress
    return atoms
