"""Relaxation of positions and cells of thousands of structures at once, under grade control."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from ase import Atoms, units
from ase.constraints import FixAtoms
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.simulation.batch_coordinates import BatchCoordinates
from alflow.simulation.batch_lbfgs import BatchLBFGS
from alflow.simulation.batch_potential import BatchPotential, evaluate_apart
from alflow.simulation.batch_verdict import MEASURES, BatchState, Verdict, verdicts
from alflow.simulation.settings import GradeControl, Guards, Relaxation
from alflow.simulation.start import require_structure

Array = NDArray[np.float64]

BATCH_SIZE = 1000
"""Structures under way at a time; the batch is so large that arrays, not Python, dominate the time."""
LONGEST_MOVE_A = 0.2
"""Longest move of an atom in one step; the value of ASE's optimisers."""
ENERGY_SLACK_EV_PER_ATOM = 1e-6
"""A step may raise the energy by this much, because potentials jump where neighbors cross the cutoff."""


@dataclass(frozen=True)
class BatchResult:
    """Outcome of the relaxation of one structure.

    Attributes
    ----------
    index
        Index of the structure in the input, from 0.
    state
        "converged"; "unconverged": the steps are used up, or no step lowers the energy any more; "paused":
        the grade is too high to go on; "guarded": a guard was exceeded, or the structure cannot be relaxed;
        "interrupted": a stop was requested.
    reason
        Why the relaxation did not converge; empty if it did.
    atoms
        Last configuration, with the `info` of the start and without a calculator. If the structure paused,
        this is the extrapolative configuration.
    energy_eV, extrapolation_grade, max_force_eV_A, max_stress_GPa
        Values for `atoms`. The energy does not contain pressure times volume. The force is the largest on a
        movable atom. The stress is the largest difference from the pressure, and 0 if the cell is fixed.
        Unknown values are NaN.
    steps
        Steps done. Each step is one evaluation of the potential; the start is one more.
    """

    index: int
    state: BatchState
    reason: str
    atoms: Atoms
    energy_eV: float
    extrapolation_grade: float
    max_force_eV_A: float
    max_stress_GPa: float
    steps: int


def relax_batch(
    structures: Iterable[Atoms],
    potential: BatchPotential,
    *,
    settings: Relaxation | None = None,
    cell: bool = True,
    pressure_GPa: float = 0.0,
    control: GradeControl | None = None,
    guards: Guards | None = None,
    batch_size: int = BATCH_SIZE,
    stop_requested: Callable[[], bool] | None = None,
) -> Iterator[BatchResult]:
    """Relax the positions, and with `cell` the cells, of independent structures by L-BFGS.

    Parameters
    ----------
    structures
        Structures of any number and size; each is read when the batch has room for it. With `cell` they must
        be periodic in three directions and have no constraints; without it, atoms may be fixed (FixAtoms).
    potential
        The potential, such as a `GradedPotential`.
    settings
        Limits of forces, stress and steps.
    cell, pressure_GPa
        Whether to relax the cells too, and the pressure on them; a positive pressure compresses.
    control
        A grade above `gamma_break` pauses a structure; so does a grade above `gamma_save` in the minimum.
    guards
        Limits of distances and volumes; the limit of temperature is not used here.
    batch_size
        Structures under way at a time.
    stop_requested
        Function that is called after every step; if it returns true, all structures under way are given back.

    Yields
    ------
    BatchResult
        Results in the order in which structures are done. A structure that cannot be relaxed also has a
        result, and the other structures go on.

    Raises
    ------
    InputError
        If grades are to be controlled and the potential gives none, or `batch_size` is not positive.

    Notes
    -----
    A step that raises the enthalpy is undone and halved, so every structure ends in a minimum or with a
    reason. Nothing is summed over structures: results of one structure depend on the others only as far as
    the potential's numbers do. With `GradedPotential` only the order of sums over neighbors changes.
    Symmetry is kept: a structure that starts at a saddle point ends there unless it is displaced.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}, but must be at least 1")
    waiting = enumerate(structures)
    pressure = pressure_GPa * units.GPa if cell else None
    batch = _Batch(potential, settings or Relaxation(), pressure, control, guards or Guards())
    exhausted = False
    while True:
        room = batch_size - len(batch)
        if not exhausted and room >= math.ceil(batch_size / 8):
            newcomers = list(islice(waiting, room))
            exhausted = len(newcomers) < room
            yield from batch.enter(newcomers)
            continue
        if not len(batch):
            return
        yield from batch.step()
        if stop_requested is not None and stop_requested():
            yield from batch.interrupted()
            return


@dataclass
class _Point:
    """Vectors of coordinates and gradients, and the measures of each structure at these coordinates."""

    vector: Array
    gradient: Array
    measures: NDArray[np.void]

    def only(self, keep: NDArray[np.bool_], variables: NDArray[np.bool_]) -> _Point:
        """The point of the structures where `keep` is true; `variables` is the same mask per variable."""
        return _Point(self.vector[variables], self.gradient[variables], self.measures[keep])

    def joined(self, other: _Point) -> _Point:
        """The point of these structures followed by those of the other."""
        return _Point(
            np.concatenate([self.vector, other.vector]),
            np.concatenate([self.gradient, other.gradient]),
            np.concatenate([self.measures, other.measures]),
        )

    def moved_to(self, other: _Point, accept: NDArray[np.bool_], variables: NDArray[np.bool_]) -> _Point:
        """The other point for the structures where `accept` is true, this point for the rest."""
        return _Point(
            np.where(variables, other.vector, self.vector),
            np.where(variables, other.gradient, self.gradient),
            np.where(accept, other.measures, self.measures),
        )


class _Batch:
    """The structures under way; their cells are fixed if the pressure (eV/Å³) is None."""

    def __init__(
        self,
        potential: BatchPotential,
        settings: Relaxation,
        pressure: float | None,
        control: GradeControl | None,
        guards: Guards,
    ) -> None:
        self._potential = potential
        self._settings = settings
        self._pressure = pressure or 0.0
        self._cells_move = pressure is not None
        self._control = control
        self._guards = guards
        self._starts: list[tuple[int, Atoms]] = []
        self._coordinates = BatchCoordinates.of([], cells_move=self._cells_move)
        self._optimizer = BatchLBFGS(self._coordinates.lengths)
        self._point = _Point(np.empty(0), np.empty(0), np.empty(0, MEASURES))
        self._fractions = np.empty(0)
        self._steps = np.empty(0, dtype=int)

    def __len__(self) -> int:
        return len(self._starts)

    def enter(self, newcomers: list[tuple[int, Atoms]]) -> list[BatchResult]:
        """Add structures to the batch; return results of those that are done at their start."""
        reasons = [_why_unfit(atoms, self._cells_move) for _, atoms in newcomers]
        refused = [
            _refused(*start, reason) for start, reason in zip(newcomers, reasons, strict=True) if reason
        ]
        newcomers = [start for start, reason in zip(newcomers, reasons, strict=True) if not reason]
        if not newcomers:
            return refused
        structures = [atoms for _, atoms in newcomers]
        coordinates = BatchCoordinates.of(structures, cells_move=self._cells_move)
        point, errors = self._evaluate(coordinates, coordinates.start(structures))
        known = len(self)
        self._starts += newcomers
        self._coordinates = self._coordinates.joined(coordinates)
        self._optimizer.join(coordinates.lengths)
        self._point = self._point.joined(point)
        self._fractions = np.concatenate([self._fractions, np.ones(len(newcomers))])
        self._steps = np.concatenate([self._steps, np.zeros(len(newcomers), dtype=int)])
        failed = {known + place: Verdict("guarded", error) for place, error in errors.items()}
        return refused + self._leave(self._verdicts() | failed)

    def step(self) -> list[BatchResult]:
        """Evaluate every structure once; return results of those that are done."""
        here, coordinates = self._point, self._coordinates
        step = self._optimizer.direction(here.gradient)
        longest = coordinates.longest_move_A(step)
        capped = LONGEST_MOVE_A / np.maximum(longest, LONGEST_MOVE_A)
        step *= self._optimizer.spread(capped * self._fractions)
        there, _ = self._evaluate(coordinates, here.vector + step)
        rise = there.measures["enthalpy_eV"] - here.measures["enthalpy_eV"]
        accept = rise <= ENERGY_SLACK_EV_PER_ATOM * coordinates.sizes
        self._optimizer.learn(step, there.gradient - here.gradient)
        self._point = here.moved_to(there, accept, np.repeat(accept, coordinates.lengths))
        self._fractions = np.where(accept, np.minimum(1.0, 2 * self._fractions), self._fractions / 2)
        self._steps += 1
        return self._leave(self._verdicts())

    def interrupted(self) -> list[BatchResult]:
        """Results of all structures under way."""
        return self._leave(dict.fromkeys(range(len(self)), Verdict("interrupted", "a stop was requested")))

    def _evaluate(self, coordinates: BatchCoordinates, vector: Array) -> tuple[_Point, dict[int, str]]:
        structures = coordinates.structures(vector)
        forces, errors = evaluate_apart(self._potential, structures)
        if self._control is not None and forces.grades is None:
            raise InputError("extrapolation grades are to be controlled, but the potential gives none")
        volumes = np.abs(np.linalg.det(structures.cells))
        virials = forces.virials_eV + (self._pressure * volumes)[:, None, None] * np.eye(3)
        measures = np.empty(len(structures), MEASURES)
        measures["energy_eV"] = forces.energies_eV
        measures["enthalpy_eV"] = forces.energies_eV + self._pressure * volumes
        measures["grade"] = np.nan if forces.grades is None else forces.grades
        lengths = np.linalg.norm(np.where(coordinates.fixed[:, None], 0.0, forces.forces_eV_A), axis=1)
        measures["max_force_eV_A"] = np.maximum.reduceat(lengths, coordinates.offsets[:-1])
        measures["max_stress_GPa"] = 0.0
        if self._cells_move:
            measures["max_stress_GPa"] = np.abs(virials).max(axis=(1, 2)) / volumes / units.GPa
        measures["distance_A"] = forces.min_distances_A
        measures["volume_change"] = volumes / coordinates.start_volumes_A3 - 1
        gradient = coordinates.gradient(vector, forces.forces_eV_A, virials)
        return _Point(vector, gradient, measures), errors

    def _verdicts(self) -> dict[int, Verdict]:
        return verdicts(
            self._point.measures, self._steps, self._fractions, self._settings, self._control, self._guards
        )

    def _leave(self, verdicts: dict[int, Verdict]) -> list[BatchResult]:
        """Remove these structures from the batch and return their results."""
        if not verdicts:
            return []
        keep = np.ones(len(self), dtype=bool)
        keep[list(verdicts)] = False
        results = self._results(verdicts, ~keep)
        self._point = self._point.only(keep, np.repeat(keep, self._coordinates.lengths))
        self._optimizer.only(keep)
        self._coordinates = self._coordinates.only(keep)
        self._fractions, self._steps = self._fractions[keep], self._steps[keep]
        self._starts = [start for place, start in enumerate(self._starts) if place not in verdicts]
        return results

    def _results(self, verdicts: dict[int, Verdict], leaving: NDArray[np.bool_]) -> list[BatchResult]:
        vector = self._point.vector[np.repeat(leaving, self._coordinates.lengths)]
        structures = self._coordinates.only(leaving).structures(vector)
        results = []
        for k, place in enumerate(np.flatnonzero(leaving).tolist()):
            index, start = self._starts[place]
            atoms = start.copy()
            if self._cells_move:
                atoms.set_cell(structures.cells[k])
            atoms.positions = structures.positions[slice(*structures.offsets[k : k + 2])]
            measures = self._point.measures[place]
            results.append(
                BatchResult(
                    index,
                    *verdicts[place],
                    atoms,
                    energy_eV=float(measures["energy_eV"]),
                    extrapolation_grade=float(measures["grade"]),
                    max_force_eV_A=float(measures["max_force_eV_A"]),
                    max_stress_GPa=float(measures["max_stress_GPa"]),
                    steps=int(self._steps[place]),
                )
            )
        return results


def _why_unfit(atoms: Atoms, cell_moves: bool) -> str:
    """Reason why a structure cannot be relaxed; empty if it can."""
    try:
        require_structure(atoms)
    except InputError as error:
        return str(error)
    if not cell_moves:
        return _why_constraints_are_unfit(atoms)
    if not (atoms.pbc.all() and atoms.cell.volume > 0):
        return "the cell is to be relaxed, but the structure is not periodic in three directions"
    return "the cell is to be relaxed, but atoms have constraints" if atoms.constraints else ""


def _why_constraints_are_unfit(atoms: Atoms) -> str:
    strange = {type(c).__name__ for c in atoms.constraints if not isinstance(c, FixAtoms)}
    return f"only FixAtoms is supported, but there is {', '.join(sorted(strange))}" if strange else ""


def _refused(index: int, atoms: Atoms, reason: str) -> BatchResult:
    nan = math.nan
    return BatchResult(index, "guarded", reason, atoms.copy(), nan, nan, nan, nan, steps=0)
