"""One call of a path's run: it relaxes the ends, then the images between them to the minimum-energy path."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.explorers.protocol import Host, Outcome, OutcomeState
from alflow.potentials import PotentialCalculator
from alflow.settings import Section
from alflow.simulation.candidate_frames import CandidateFrames
from alflow.simulation.path import ElasticBand, ImageCalculator, Interpolation, PathPaused, interpolated
from alflow.simulation.rattled import rattled
from alflow.simulation.relaxation import relax
from alflow.simulation.settings import Guards, Relaxation

LEG_STEPS = 50
"""A path is stored only between legs, and each begins without memory: a killed leg is repeated exactly."""
SAVED_EVERY_S = 5.0
CLIMBS_BELOW_EV_A = 0.1
"""The highest image climbs as soon as the forces are below this."""
FRAMES_PER_CALL = 4
"""Images that one call offers for labels, and as many rattled ones; neighboring images teach the same."""


class NebRunSettings(Section):
    """One path; its ends are the run's structures."""

    images: int
    climb: bool
    interpolation: Interpolation
    spring_eV_A2: float
    max_force_eV_A: float
    steps: int
    guards: Guards


@dataclass(frozen=True)
class PathState:
    """Checkpoint of a path.

    Attributes
    ----------
    positions : (images, N, 3)
        Positions, Å; before the first interpolation, those of the two ends only.
    climbing
        Whether the highest image climbs already.
    version
        Version of the potential in the last steps; -1 before the first step.
    ends_version
        Version of the potential for which both ends are minima; -1 if there is none.
    steps
        Steps with this version.
    total_steps
        Steps with all versions.
    """

    positions: NDArray[np.float64]
    climbing: bool = False
    version: int = -1
    ends_version: int = -1
    steps: int = 0
    total_steps: int = 0

    @property
    def has_path(self) -> bool:
        """Whether there are images between the ends."""
        return len(self.positions) > 2


class PathRun:
    """One call of a run.

    Parameters
    ----------
    settings
        Settings of the run.
    template
        Structure with the species and the cell of the path.
    state
        Checkpoint from which the path continues.
    calculator, host
        Same as in `Explorer.run`.
    """

    def __init__(
        self,
        settings: NebRunSettings,
        template: Atoms,
        state: PathState,
        calculator: PotentialCalculator,
        host: Host,
    ) -> None:
        self.settings = settings
        self.template = template
        self.state = state
        self.calculator = calculator
        self.host = host
        self.history: list[tuple[int, float, float, float]] = []
        self._images: list[Atoms] = []
        self._saved = time.monotonic()

    def outcome(self) -> Outcome:
        """Continue as far as the potential allows."""
        reason = self._relax_ends() or self._relax_path()
        if reason:
            self._save()
            return Outcome(OutcomeState.PAUSED, reason)
        band = self._band()
        try:
            band.get_forces()
        except PathPaused as pause:  # the steps may have ended on it
            return self._paused(band, str(pause))
        converged = band.max_force_eV_A <= self.settings.max_force_eV_A
        self._record(band)
        findings = self._results(band, converged)
        if band.grades.max() > self.host.control.gamma_save:
            reason = (
                f"the extrapolation grade of the path is {band.grades.max():.3g}, "
                f"above gamma_save = {self.host.control.gamma_save:g}"
            )
            return replace(self._paused(band, reason), **findings)
        if not converged:  # the next version of the potential begins with a new path
            self.state = replace(self.state, positions=self.state.positions[[0, -1]], climbing=False)
        self._save()
        return Outcome(OutcomeState.FINISHED, **findings)

    def _relax_ends(self) -> str:
        """Relax both ends; return why the relaxation paused (else empty)."""
        if self.state.ends_version == self.host.version:
            return ""
        limits = Relaxation(max_force_eV_A=self.settings.max_force_eV_A, steps=self.settings.steps)
        for name, place in (("initial", 0), ("final", -1)):
            frames = CandidateFrames(1)
            result = relax(
                self._atoms(place),
                self.calculator,
                limits,
                cell=False,
                control=self.host.control,
                guards=self.settings.guards,
                frames=frames,
                stop_requested=self.host.stop_requested,
            )
            positions = self.state.positions.copy()
            positions[place] = result.atoms.positions
            self.state = replace(self.state, positions=positions)
            if result.state == "interrupted":
                return "a stop was requested"
            if result.state == "paused":
                self._keep([(frame, frame.info["extrapolation_grade"]) for frame in frames.all()])
                return f"{name} structure: {result.reason}"
            end = self._atoms(place)
            end.calc = ImageCalculator(self.calculator)
            end.get_forces()
            grade = float(end.calc.results["extrapolation_grade"])
            if grade > self.host.control.gamma_save:
                self._keep([(end, grade)])
                return (
                    f"{name} structure: the extrapolation grade of the minimum is {grade:.3g}, "
                    f"above gamma_save = {self.host.control.gamma_save:g}"
                )
        self.state = replace(self.state, ends_version=self.host.version)
        return ""

    def _relax_path(self) -> str:
        """Move the images until they converge or the steps run out; return why it paused (else empty)."""
        if not self.state.has_path:
            path = interpolated(
                self._atoms(0), self._atoms(-1), self.settings.images, self.settings.interpolation
            )
            self.state = replace(self.state, positions=np.array([image.positions for image in path]))
        limit = self.settings.max_force_eV_A
        while self.state.steps < self.settings.steps:
            if self.host.stop_requested():
                return "a stop was requested"
            band = self._band()
            climbs_next = self.settings.climb and not self.state.climbing
            leg = min(LEG_STEPS, self.settings.steps - self.state.steps)
            try:
                done = band.optimise(max(limit, CLIMBS_BELOW_EV_A) if climbs_next else limit, leg)
            except PathPaused as pause:
                self._count(band)
                self._keep(band.worth_a_label(FRAMES_PER_CALL))
                return str(pause)
            self._count(band)
            self._record(band)
            if done and not climbs_next:
                return ""
            self.state = replace(self.state, climbing=self.state.climbing or (done and climbs_next))
            self.host.show_progress(self.state.total_steps)
            if time.monotonic() - self._saved > SAVED_EVERY_S:
                self._save()
        return ""

    def _paused(self, band: ElasticBand, reason: str) -> Outcome:
        self._keep(band.worth_a_label(FRAMES_PER_CALL))
        self._save()
        return Outcome(OutcomeState.PAUSED, reason)

    def _count(self, band: ElasticBand) -> None:
        self.state = replace(
            self.state,
            positions=band.safe_positions,
            steps=self.state.steps + band.evaluations,
            total_steps=self.state.total_steps + band.evaluations,
        )

    def _record(self, band: ElasticBand) -> None:
        energies = band.energies_eV
        barrier = float(energies.max() - energies[0])
        self.history.append((self.state.total_steps, float(band.grades.max()), barrier, band.max_force_eV_A))

    def _keep(self, frames: Sequence[tuple[Atoms, float]]) -> None:
        for number, (frame, grade) in enumerate(frames):
            self.host.frames.keep(frame, self.state.total_steps, grade)
            copy = rattled(frame, (self.host.version, number))
            copy.calc = ImageCalculator(self.calculator)
            copy.get_forces()
            self.host.frames.keep(copy, self.state.total_steps, copy.calc.results["extrapolation_grade"])

    def _save(self) -> None:
        self._saved = time.monotonic()
        names = ("step", "extrapolation_grade", "barrier_eV", "max_force_eV_A")
        table = np.array(self.history, dtype=float).reshape(-1, len(names))
        history: dict[str, NDArray[np.generic]] = dict(zip(names, table.T.copy(), strict=True))
        history["step"] = table[:, 0].astype(np.int64)
        self.host.save_progress(asdict(self.state), step=self.state.total_steps, history=history)

    def _atoms(self, place: int) -> Atoms:
        atoms: Atoms = self.template.copy()
        atoms.positions = self.state.positions[place]
        return atoms

    def _band(self) -> ElasticBand:
        if not self._images:
            self._images = [self._atoms(place) for place in range(len(self.state.positions))]
            for image in self._images:
                image.calc = ImageCalculator(self.calculator)
        return ElasticBand(
            self._images,
            control=self.host.control,
            guards=self.settings.guards,
            spring_eV_A2=self.settings.spring_eV_A2,
            climb=self.state.climbing,
        )

    def _results(self, band: ElasticBand, converged: bool) -> dict[str, Any]:
        energies, grades = band.energies_eV, band.grades
        structures = []
        for number, (image, energy, grade) in enumerate(zip(band.images, energies, grades, strict=True)):
            atoms = self._atoms(number)
            atoms.positions = image.positions
            atoms.info = {
                "name": f"image-{number}",
                "energy_eV": float(energy),
                "extrapolation_grade": float(grade),
                "potential_version": self.host.version,
            }
            structures.append(atoms)
        results = {
            "barrier_forward_eV": float(energies.max() - energies[0]),
            "barrier_backward_eV": float(energies.max() - energies[-1]),
            "reaction_energy_eV": float(energies[-1] - energies[0]),
            "energies_eV": [float(energy) for energy in energies - energies[0]],
            "converged": bool(converged),
            "max_force_eV_A": band.max_force_eV_A,
            "extrapolation_grade": float(grades.max()),
            "potential_version": self.host.version,
        }
        return {"results": results, "structures": structures}
