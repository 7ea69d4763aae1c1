"""ASE's integrators, set up so that their whole state can be taken and put back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import Atoms, units
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.verlet import VelocityVerlet

from alflow.simulation.settings import MDSettings

Integrator = VelocityVerlet | LangevinBAOAB


def make_integrator(
    atoms: Atoms, settings: MDSettings, random: np.random.Generator, barostat: Mapping[str, float]
) -> Integrator:
    """The integrator of the ensemble, in the state `barostat` where that is not empty.

    LangevinBAOAB thermalises all 3N degrees of freedom, the centre of mass included, so that no correction
    for a fixed centre (the doubtful `fixcm` of ase.md.langevin) is needed. All of its state is public: the
    random generator, and with a piston its momentum and force.
    """
    timestep = settings.timestep_fs * units.fs
    if settings.ensemble == "nve":
        return VelocityVerlet(atoms, timestep)
    friction_time = units.fs / settings.friction_per_fs
    if settings.ensemble == "nvt":
        return LangevinBAOAB(
            atoms,
            timestep,
            temperature_K=settings.temperature_K,
            T_tau=friction_time,
            rng=random,
            hydrostatic=True,
        )
    barostat_time = settings.barostat_time_fs * units.fs
    dynamics = LangevinBAOAB(
        atoms,
        timestep,
        temperature_K=settings.temperature_K,
        externalstress=-settings.pressure_GPa * units.GPa,
        hydrostatic=True,
        T_tau=friction_time,
        P_tau=barostat_time,
        P_mass=(3 * len(atoms) + 3) * units.kB * settings.temperature_K * barostat_time**2,
        rng=random,
    )
    if barostat:
        dynamics.p_eps = barostat["momentum"]
        dynamics.force_eps = barostat["force"]
    return dynamics


def barostat_state(dynamics: Integrator) -> dict[str, float]:
    """State of the piston, as `make_integrator` takes it; empty for an integrator that has none."""
    if isinstance(dynamics, LangevinBAOAB) and dynamics.externalstress is not None:
        return {"momentum": float(dynamics.p_eps), "force": float(dynamics.force_eps)}
    return {}
