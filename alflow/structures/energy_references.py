"""Energies of two sources on the same structures: a constant difference per element, or other physics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

SAME_EV_PER_ATOM = 0.01  # differences of one code between two machines, versions or meshes stay below
SAME_FORCE_EV_A = 0.05
SAME_FORCE_SHARE = 0.1  # of the root mean square force


@dataclass(frozen=True)
class Comparison:
    """Labels of one set of structures from a file and from the campaign's QM code.

    Attributes
    ----------
    difference_eV_per_atom
        Mean of the file's energies minus the code's.
    shifts_eV
        Value to add to the file's energies for each atom of an element.
    residual_eV_per_atom
        Root mean square of what the shifts leave.
    force_rms_eV_A
        Root mean square difference of a force component.
    force_scale_eV_A
        Root mean square of a force component of the code.
    """

    difference_eV_per_atom: float
    shifts_eV: Mapping[str, float]
    residual_eV_per_atom: float
    force_rms_eV_A: float
    force_scale_eV_A: float

    @property
    def same_physics(self) -> bool:
        """Whether forces agree, and shifts per element explain the difference of the energies."""
        allowed = max(SAME_FORCE_EV_A, SAME_FORCE_SHARE * self.force_scale_eV_A)
        return self.force_rms_eV_A <= allowed and self.residual_eV_per_atom <= SAME_EV_PER_ATOM

    @property
    def same_reference(self) -> bool:
        """Whether the energies need no shift."""
        return abs(self.difference_eV_per_atom) <= SAME_EV_PER_ATOM and self.same_physics

    def sentence(self, file: str) -> str:
        """The finding, and what to do about it; empty if the labels agree."""
        if self.same_reference:
            return ""
        above = "above" if self.difference_eV_per_atom > 0 else "below"
        energies = (
            f"energies of {file} lie {abs(self.difference_eV_per_atom):.3g} eV/atom {above} those of `qm`"
        )
        if self.same_physics:
            shifts = ", ".join(f"{symbol}: {shift:.4f}" for symbol, shift in self.shifts_eV.items())
            return f"{energies}: shift them with `initial.energy_shift_eV: {{{shifts}}}`"
        return (
            f"{energies}, and no shift per element explains it: it leaves {self.residual_eV_per_atom:.3g} "
            f"eV/atom, and forces differ by {self.force_rms_eV_A:.3g} eV/Å (root mean square): the levels of "
            "theory differ; label the structures of the file again, or leave them out"
        )


def compare(given: Sequence[Atoms], computed: Sequence[Atoms]) -> Comparison:
    """Compare labels of the same structures.

    The shifts are the least-squares solution over the compositions, of least norm if there are fewer
    independent compositions than elements.

    Parameters
    ----------
    given, computed
        Structures with energies (eV) and forces (eV/Å) of the file and of the QM code, in the same order.
    """
    sizes = np.array([len(atoms) for atoms in given])
    differences = np.array([_energy(a) - _energy(b) for a, b in zip(given, computed, strict=True)]) / sizes
    species = sorted({symbol for atoms in given for symbol in atoms.symbols})
    fractions = np.array([[a.symbols.count(s) / len(a) for s in species] for a in given])
    shifts = np.linalg.lstsq(fractions, -differences, rcond=None)[0]
    left = differences + fractions @ shifts
    forces = np.concatenate([_forces(a) - _forces(b) for a, b in zip(given, computed, strict=True)])
    scale = np.concatenate([_forces(atoms) for atoms in computed])
    return Comparison(
        difference_eV_per_atom=float(differences.mean()),
        shifts_eV={symbol: float(shift) for symbol, shift in zip(species, shifts, strict=True)},
        residual_eV_per_atom=_rms(left),
        force_rms_eV_A=_rms(forces),
        force_scale_eV_A=_rms(scale),
    )


def frames_to_compare(structures: Sequence[Atoms], count: int = 2) -> list[int]:
    """Indices of small structures to label again: with independent compositions first, then the next.

    Parameters
    ----------
    structures
        Labelled structures; single atoms are left out if there are others.
    count
        Number of structures, or the number of elements if that is larger.
    """
    several = [i for i, atoms in enumerate(structures) if len(atoms) > 1]
    order = sorted(several or range(len(structures)), key=lambda i: (len(structures[i]), i))
    species = sorted({symbol for atoms in structures for symbol in atoms.symbols})
    rows = {i: [structures[i].symbols.count(s) / len(structures[i]) for s in species] for i in order}
    chosen: list[int] = []
    for i in order:
        if np.linalg.matrix_rank([rows[j] for j in [*chosen, i]], tol=1e-3) > len(chosen):
            chosen.append(i)
    chosen = chosen[: len(species)]
    rest = [i for i in order if i not in chosen]
    missing = max(count, len(species)) - len(chosen)
    # At even spacing: neighbours in a file tend to be alike, and would show less of a difference.
    step = max(1, len(rest) // max(1, missing))
    return chosen + (rest[step - 1 :: step][:missing] if missing > 0 else [])


def shifted(atoms: Atoms, shifts_eV: Mapping[str, float]) -> Atoms:
    """The structure with a constant per atom of an element added to its energies, eV."""
    if not shifts_eV or atoms.calc is None:
        return atoms
    shift = sum(shifts_eV.get(symbol, 0.0) for symbol in atoms.symbols)
    results = dict(atoms.calc.results)
    for key in ("energy", "free_energy"):
        if key in results:
            results[key] += shift
    moved: Atoms = atoms.copy()
    moved.calc = SinglePointCalculator(moved, **results)
    return moved


def _energy(atoms: Atoms) -> float:
    results = atoms.calc.results
    return float(results.get("free_energy", results.get("energy")))


def _forces(atoms: Atoms) -> NDArray[np.float64]:
    return np.asarray(atoms.get_forces(apply_constraint=False), dtype=float)


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))
