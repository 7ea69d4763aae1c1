"""Check whether a converged label is credible. Each reason to reject it is one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field

from qm_interfaces.interface import QMResult

FEWEST_REFERENCES = 10  # with fewer, a median absolute deviation says little
POSITION_TOLERANCE_A = 1e-3  # codes print positions and cells with few digits
VOLUME_SCALE_FLOOR = 0.1  # of its logarithm; campaigns explore, and young training sets are strained crystals


class LabelLimits(BaseModel):
    """Limits beyond which a converged label is rejected, and not trained on.

    They are wide on purpose, because campaigns label extrapolative configurations. A periodic or isolated
    system cannot push itself, so a net force is an error of the code.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    max_force_eV_A: float = Field(default=50.0, ge=0.1, le=1000, description="largest force on an atom, eV/Å")
    max_net_force_eV_A: float = Field(
        default=0.05, gt=0, le=100, description="length of the mean force, eV/Å"
    )
    min_distance_A: float = Field(default=0.7, ge=0.1, le=5, description="closest pair of atoms, Å")
    energy_outlier_score: float = Field(
        default=20.0,
        ge=3,
        le=1e6,
        description="robust z-score of the energy per atom among the labels so far",
    )
    energy_scale_floor_eV: float = Field(
        default=0.02, gt=0, le=10, description="least spread of energies assumed in that score, eV per atom"
    )
    volume_outlier_score: float = Field(
        default=15.0,
        ge=3,
        le=1e6,
        description="robust z-score of the logarithm of the volume per atom among the labels so far; "
        "15 lets a factor of 4 pass, raise it for vacuum",
    )


@dataclass(frozen=True, eq=False)
class Reference:
    """A configuration of the training set.

    Attributes
    ----------
    numbers
        Atomic numbers (N,).
    energy_eV
        Total energy.
    volume_A3
        Volume of a periodic configuration, None for others.
    """

    numbers: np.ndarray
    energy_eV: float
    volume_A3: float | None = None

    @classmethod
    def of(cls, atoms: Atoms) -> Reference:
        """Return the reference of a labelled structure, which must have an energy."""
        return cls(atoms.numbers, atoms.get_potential_energy(), _volume_A3(atoms))


def validate(
    atoms: Atoms, result: QMResult, limits: LabelLimits, reference: Sequence[Reference] = ()
) -> list[str]:
    """List the reasons to reject `result` as the label of `atoms`, or of the structure they relaxed to.

    Parameters
    ----------
    reference
        The training set, for the detection of outliers.
    """
    if result.relaxed is not None:
        if swapped := _species_reasons(atoms, result.relaxed):
            return swapped
        atoms = result.relaxed
    reasons = _structure_reasons(atoms, result.computed)
    stress = np.zeros(6) if result.stress_eV_A3 is None else result.stress_eV_A3
    if not (
        np.isfinite(result.energy_eV) and np.isfinite(result.forces_eV_A).all() and np.isfinite(stress).all()
    ):
        return [*reasons, "energy, forces or stress are not finite numbers"]
    if result.forces_eV_A.shape != (len(atoms), 3):
        return [*reasons, f"forces have shape {result.forces_eV_A.shape} for {len(atoms)} atoms"]
    force = np.linalg.norm(result.forces_eV_A, axis=1)
    if force.max() > limits.max_force_eV_A:
        atom = int(force.argmax())
        reasons.append(
            f"the force on atom {atom} is {force[atom]:.3g} eV/Å, above {limits.max_force_eV_A:g} eV/Å"
        )
    net = float(np.linalg.norm(result.forces_eV_A.mean(axis=0)))
    if net > limits.max_net_force_eV_A:
        reasons.append(f"the mean force is {net:.3g} eV/Å, above {limits.max_net_force_eV_A:g} eV/Å")
    distance = shortest_distance_A(atoms, limits.min_distance_A)
    if distance is not None:
        reasons.append(f"two atoms are {distance:.3g} Å apart, closer than {limits.min_distance_A:g} Å")
    return reasons + _outlier_reasons(atoms, result.energy_eV, limits, reference)


def is_energy_outlier(
    atoms: Atoms, result: QMResult, limits: LabelLimits, reference: Sequence[Reference]
) -> bool:
    """Whether the energy is an outlier among the labels so far, which a shifted reference explains."""
    if not np.isfinite(result.energy_eV):
        return False
    labelled = atoms if result.relaxed is None else result.relaxed
    score = energy_score(labelled.numbers, result.energy_eV, reference, limits.energy_scale_floor_eV)
    return score is not None and abs(score) > limits.energy_outlier_score


def _outlier_reasons(
    atoms: Atoms, energy_eV: float, limits: LabelLimits, reference: Sequence[Reference]
) -> list[str]:
    volume_A3 = _volume_A3(atoms)
    per_atom = [(f"energy of {energy_eV / len(atoms):.6g} eV", limits.energy_outlier_score)]
    scores = [energy_score(atoms.numbers, energy_eV, reference, limits.energy_scale_floor_eV)]
    if volume_A3 is not None:
        per_atom.append((f"volume of {volume_A3 / len(atoms):.3g} Å³", limits.volume_outlier_score))
        scores.append(volume_score(atoms.numbers, volume_A3, reference))
    return [
        f"the {what} per atom is an outlier of the training set (robust z-score {score:.3g}, limit {limit:g})"
        for (what, limit), score in zip(per_atom, scores, strict=True)
        if score is not None and abs(score) > limit
    ]


def _volume_A3(atoms: Atoms) -> float | None:
    return atoms.get_volume() if atoms.pbc.all() and atoms.cell.rank == 3 else None


def _structure_reasons(asked: Atoms, computed: Atoms | None) -> list[str]:
    if computed is None:
        return []
    if swapped := _species_reasons(asked, computed):
        return swapped
    reasons = []
    if np.abs(computed.cell.array - asked.cell.array).max() > POSITION_TOLERANCE_A:
        reasons.append("the code changed the cell")
    shift = computed.positions - asked.positions
    if asked.cell.rank == 3:
        fractional = asked.cell.scaled_positions(shift)
        shift = (fractional - np.rint(fractional) * asked.pbc) @ asked.cell.array
    if np.abs(shift).max(initial=0.0) > POSITION_TOLERANCE_A:
        reasons.append("the code moved or reordered the atoms")
    return reasons


def _species_reasons(asked: Atoms, computed: Atoms) -> list[str]:
    if sorted(computed.numbers) != sorted(asked.numbers):
        return [f"the code computed {computed.get_chemical_formula()}, not {asked.get_chemical_formula()}"]
    if (computed.numbers != asked.numbers).any():
        return ["the code changed the order of the species"]
    return []


def shortest_distance_A(atoms: Atoms, cutoff_A: float) -> float | None:
    """Return the shortest distance below `cutoff_A` between two atoms or images; None if there is none."""
    from ase.neighborlist import neighbor_list  # keeps the start of a label process short

    distances = neighbor_list("d", atoms, cutoff_A)
    return float(distances.min()) if len(distances) else None


def energy_score(
    numbers: np.ndarray, energy_eV: float, reference: Sequence[Reference], scale_floor_eV: float
) -> float | None:
    """Return the `outlier_score` of the energy per atom."""
    known = [(entry.numbers, entry.energy_eV / len(entry.numbers)) for entry in reference]
    return outlier_score(numbers, energy_eV / len(numbers), known, scale_floor_eV)


def volume_score(numbers: np.ndarray, volume_A3: float, reference: Sequence[Reference]) -> float | None:
    """Return the `outlier_score` of the logarithm of the volume per atom, among periodic configurations."""
    known = [
        (entry.numbers, np.log(entry.volume_A3 / len(entry.numbers)))
        for entry in reference
        if entry.volume_A3 is not None
    ]
    return outlier_score(numbers, np.log(volume_A3 / len(numbers)), known, VOLUME_SCALE_FLOOR)


def outlier_score(
    numbers: np.ndarray, value: float, known: Sequence[tuple[np.ndarray, float]], scale_floor: float
) -> float | None:
    """Return the modified z-score (Iglewicz & Hoaglin 1993) of a value per atom, corrected for composition.

    One value per species is fitted robustly to the `known` configurations (atomic numbers and value). The
    remainder of each is compared with the median and the median absolute deviation. The score is None if too
    few configurations are known, or if a species is in none of them.
    """
    from scipy.optimize import least_squares  # keeps the start of a label process short

    species = np.unique(np.concatenate([elements for elements, _ in known])) if known else np.array([])
    if len(known) < FEWEST_REFERENCES or not np.isin(numbers, species).all():
        return None
    fractions = np.array([_fractions(elements, species) for elements, _ in known])
    values = np.array([entry for _, entry in known])
    start = np.full(len(species), np.median(values))

    def left_over(species_values: np.ndarray) -> np.ndarray:
        left: np.ndarray = values - fractions @ species_values
        return left

    species_values = least_squares(left_over, start, loss="soft_l1", f_scale=scale_floor).x
    left = left_over(species_values)
    deviation = value - _fractions(numbers, species) @ species_values - np.median(left)
    mad = np.median(np.abs(left - np.median(left)))
    return float(deviation / max(1.4826 * mad, scale_floor))


def _fractions(numbers: np.ndarray, species: np.ndarray) -> np.ndarray:
    counts: np.ndarray = np.count_nonzero(numbers[:, None] == species, axis=0)
    return counts / len(numbers)
