"""The integrators of the ensembles; their complete state can be stored and restored."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from ase import Atoms, units
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.verlet import VelocityVerlet
from numpy.typing import NDArray

from alflow.simulation.piston import LangevinPiston
from alflow.simulation.ramps import Ramp, value_at
from alflow.simulation.settings import MDSettings


class Integrator(Protocol):
    """An integrator of the equations of motion of its atoms."""

    def advance(self, step: int) -> None:
        """Do one step, the one that ends at number `step` of the run."""

    @property
    def cell_momenta(self) -> NDArray[np.float64]:
        """Momenta of the barostat; length 0 without a barostat."""
        ...


class FixedCell:
    """ASE's integrators for a cell that does not move.

    LangevinBAOAB thermalises all 3N degrees of freedom, including the centre of mass, so it needs no
    correction for a fixed centre (the doubtful `fixcm` of ase.md.langevin). Its only state is the random
    generator.
    """

    def __init__(self, atoms: Atoms, settings: MDSettings, random: np.random.Generator) -> None:
        self._settings = settings
        timestep = settings.timestep_fs * units.fs
        self._dynamics: VelocityVerlet | LangevinBAOAB
        if settings.ensemble == "nve":
            self._dynamics = VelocityVerlet(atoms, timestep)
        else:
            self._dynamics = LangevinBAOAB(
                atoms,
                timestep,
                temperature_K=value_at(settings.temperature_K, 0, settings.steps),
                T_tau=units.fs / settings.friction_per_fs,
                rng=random,
                hydrostatic=True,
            )

    def advance(self, step: int) -> None:
        """Do one step, the one that ends at number `step` of the run."""
        target = self._settings.temperature_K
        if isinstance(target, Ramp) and isinstance(self._dynamics, LangevinBAOAB):
            self._dynamics.set_temperature(target.value(step, self._settings.steps))
        self._dynamics.step()  # type: ignore[no-untyped-call]

    @property
    def cell_momenta(self) -> NDArray[np.float64]:
        """Empty, because there is no barostat."""
        return np.empty(0)


def make_integrator(
    atoms: Atoms, settings: MDSettings, random: np.random.Generator, cell_momenta: NDArray[np.float64]
) -> Integrator:
    """The integrator of the ensemble; its barostat starts with `cell_momenta`."""
    if settings.ensemble == "npt":
        return LangevinPiston(atoms, settings, random, cell_momenta)
    return FixedCell(atoms, settings, random)
