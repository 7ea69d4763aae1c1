"""Labels before a campaign begins: one for its cost, and some of a file's structures for their energies."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from alflow.campaign.sections import QM
from alflow.states import LabelKind
from alflow.store import Store
from alflow.store.cost import Cost, Meter
from alflow.structures.energy_references import Comparison, compare, frames_to_compare
from qm_interfaces import QMResult, run_label, validate
from workflows.labelling import level_of_theory

SIZE_EXPONENT = 2.0  # N³ of the electrons over 1/N of the k-points


@dataclass(frozen=True)
class Trial:
    """A label that has run.

    Attributes
    ----------
    atoms
        The structure.
    result
    cost
    memory_GB
        Largest resident memory of a process of the label, 10⁹ bytes.
    rejections
        Reasons why the campaign would reject the label.
    """

    atoms: Atoms
    result: QMResult
    cost: Cost
    memory_GB: float
    rejections: Sequence[str]

    def hours(self, labels: int, workers: int, atom_count: int | None = None) -> float:
        """Wall time of so many labels, h."""
        scale = 1.0 if atom_count is None else (atom_count / len(self.atoms)) ** SIZE_EXPONENT
        return labels * scale * self.cost.wall_s / workers / 3600


def run_trial(qm: QM, atoms: Atoms, directory: Path) -> Trial:
    """Label a structure as the campaign would.

    Raises
    ------
    qm_interfaces.QMError
        If there is no label.
    """
    meter = Meter()
    result = run_label(
        qm.interface,
        qm.options,
        atoms,
        directory,
        timeout_s=qm.timeout_s,
        memory_limit_GB=qm.memory_limit_GB,
    )
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    memory_GB = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e9
    return Trial(atoms, result, meter.cost(), memory_GB, validate(atoms, result, qm.limits))


def keep_trial(store: Store, campaign: str, qm: QM, trial: Trial) -> None:
    """Store a good label, so that the campaign finds it when it asks for the same configuration and level.

    The request has a name that no campaign can have: if the file changes, nothing is trained on the label.
    """
    result, asker = trial.result, f"check of {campaign}"
    configuration = store.configurations.add(trial.atoms, {"campaign": asker, "round": 0})
    label = store.labels.request(
        configuration,
        level_of_theory(qm),
        campaign=asker,
        round_=0,
        number=1,
        kind=LabelKind.INITIAL,
    )
    if (claimed := store.labels.claim(label)) is not None:
        store.labels.finish(
            label,
            claimed["lease"]["token"],
            energy_eV=result.energy_eV,
            forces_eV_A=result.forces_eV_A,
            stress_eV_A3=result.stress_eV_A3,
            rejections=[],
            code=result.code,
            code_version=result.code_version,
            details=result.details,
            folder=None,
            wall_time_s=trial.cost.wall_s,
            processor_s=trial.cost.processor_s,
        )


def label_again(qm: QM, labelled: Sequence[Atoms], directory: Path) -> Comparison:
    """Label some structures of a file at the campaign's level of theory, and compare.

    Raises
    ------
    qm_interfaces.QMError
        If one of them cannot be labelled.
    """
    given = [labelled[i] for i in frames_to_compare(labelled)]
    computed = []
    for number, atoms in enumerate(given, start=1):
        result = run_trial(qm, atoms, directory / f"again-{number}").result
        again = atoms.copy()
        again.calc = SinglePointCalculator(again, energy=result.energy_eV, forces=result.forces_eV_A)
        computed.append(again)
    return compare(given, computed)
