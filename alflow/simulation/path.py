"""Minimum-energy paths under grade control: a nudged elastic band that stops before it extrapolates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.mep import NEB
from ase.mep.neb import NEBOptimizer
from ase.optimize import FIRE
from numpy.typing import NDArray

from alflow.simulation.calculator import ForceCalculator
from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.distances import least_distance
from alflow.simulation.settings import GradeControl, Guards
from alflow.simulation.watch import FrameWatch

Interpolation = Literal["idpp", "linear"]


class PathPaused(Exception):
    """The potential extrapolates too far, or a guard was exceeded; the message is the reason."""


class ImageCalculator:
    """Results of one image, kept until it moves; all images share one calculator.

    Parameters
    ----------
    calculator
        Shared calculator. It never computes an image twice at the same positions.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def __init__(self, calculator: ForceCalculator) -> None:
        self._calculator = calculator
        self._positions: NDArray[np.float64] | None = None
        self.results: dict[str, Any] = {}

    def get_potential_energy(self, atoms: Atoms, force_consistent: bool = False) -> float:
        """Energy, eV."""
        return float(self._of(atoms)["energy"])

    def get_forces(self, atoms: Atoms) -> NDArray[np.float64]:
        """Forces (N, 3), eV/Å."""
        forces: NDArray[np.float64] = self._of(atoms)["forces"].copy()
        return forces

    def _of(self, atoms: Atoms) -> Mapping[str, Any]:
        if self._positions is None or not np.array_equal(self._positions, atoms.positions):
            image = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
            image.calc = self._calculator
            image.get_forces()
            self.results = {
                name: value.copy() if isinstance(value, np.ndarray) else value
                for name, value in self._calculator.results.items()
            }
            self._positions = atoms.positions.copy()
        return self.results


class ElasticBand(NEB):
    """ASE's nudged elastic band (improved tangents) that judges all images at every evaluation.

    Henkelman and Jónsson, J. Chem. Phys. 113, 9978 (2000); the climbing image: Henkelman, Uberuaga and
    Jónsson, J. Chem. Phys. 113, 9901 (2000).

    Parameters
    ----------
    images
        All images including both ends, in one cell, each with an `ImageCalculator`.
    control, guards
        Limits beyond which the path pauses.
    spring_eV_A2
        Stiffness of the springs between images.
    climb
        Whether the highest image climbs.

    Attributes
    ----------
    evaluations
        Number of evaluations of the whole path so far.
    safe_positions : (images, N, 3)
        Positions at the last evaluation that did not pause, or at the start; Å.
    """

    def __init__(
        self,
        images: Sequence[Atoms],
        *,
        control: GradeControl,
        guards: Guards,
        spring_eV_A2: float,
        climb: bool,
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            list(images), k=spring_eV_A2, climb=climb, method="improvedtangent"
        )
        self.evaluations = 0
        self.safe_positions = self._all_positions()
        self.max_force_eV_A = np.inf
        self._control, self._guards = control, guards
        self._watch = FrameWatch(control, guards, CandidateFrames(1), 0.0)

    @property
    def energies_eV(self) -> NDArray[np.float64]:
        """Energies of all images, (images,)."""
        return np.array([image.get_potential_energy() for image in self.images])

    @property
    def grades(self) -> NDArray[np.float64]:
        """Extrapolation grades of all images, (images,)."""
        return np.array([image.calc.results["extrapolation_grade"] for image in self.images])

    def get_forces(self) -> NDArray[np.float64]:
        """Forces of the band on its inner images, ((images − 2) N, 3).

        Raises
        ------
        PathPaused
            If one of the images exceeds a limit.
        """
        self.evaluations += 1
        for image in self.images:
            image.calc.get_forces(image)
        for number, image in enumerate(self.images):
            _, reason = self._watch.judge(image, self.evaluations, volume_A3=0.0)
            if reason:
                raise PathPaused(f"image {number}: {reason.partition(': ')[2]}")
        self.safe_positions = self._all_positions()
        forces: NDArray[np.float64] = super().get_forces()  # type: ignore[no-untyped-call]
        self.max_force_eV_A = float(np.linalg.norm(forces, axis=1).max())
        return forces

    def get_residual(self) -> float:
        """Largest force on an atom, eV/Å, including the climbing image, which ASE leaves out."""
        return self.max_force_eV_A

    def optimise(self, max_force_eV_A: float, steps: int) -> bool:
        """Move the images until no force is above the limit; return whether that was reached.

        The steps are the adaptive ones of Makri, Ortner and Kermode, J. Chem. Phys. 150, 094109 (2019); if
        they get stuck, FIRE goes on. It begins without memory, so a path continues from its images alone.

        Raises
        ------
        PathPaused
            As in `get_forces`.
        """
        begin = self.evaluations
        if NEBOptimizer(self, logfile=None).run(fmax=max_force_eV_A, steps=steps):
            return True
        left = steps - (self.evaluations - begin)
        if left > 0:
            FIRE(self, logfile=None).run(fmax=max_force_eV_A, steps=left)
            self.get_forces()
        return bool(self.max_force_eV_A <= max_force_eV_A)

    def worth_a_label(self, limit: int) -> list[tuple[Atoms, float]]:
        """The most extrapolative images above γ_save with their grades, unless atoms are too close."""
        found: list[tuple[Atoms, float]] = []
        for place in np.argsort(-self.grades, kind="stable"):
            image, grade = self.images[place], float(self.grades[place])
            limit_A = self._guards.min_distance_A or 0.0
            if not self._control.gamma_save < grade < np.inf:
                continue
            if len(found) < limit and least_distance(image, limit_A) >= limit_A:
                found.append((image, grade))
        return found

    def _all_positions(self) -> NDArray[np.float64]:
        return np.array([image.positions for image in self.images])


def interpolated(initial: Atoms, final: Atoms, images: int, method: Interpolation) -> list[Atoms]:
    """A path with `images` images between two structures; each atom moves to its nearest periodic image.

    The image-dependent pair potential (Smidstrup et al., J. Chem. Phys. 140, 214106, 2014) keeps atoms apart.
    """
    path = [initial.copy() for _ in range(images + 1)] + [nearest_to(initial, final)]
    NEB(path, method="improvedtangent").interpolate(method=method, mic=bool(initial.pbc.any()))
    for image in path:
        image.calc = None
    return path


def nearest_to(initial: Atoms, final: Atoms) -> Atoms:
    """The final structure with each atom at the periodic image nearest to its initial position."""
    moved: Atoms = final.copy()
    steps, _ = find_mic(final.positions - initial.positions, initial.cell, initial.pbc)
    moved.positions = initial.positions + steps
    return moved
