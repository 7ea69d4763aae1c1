"""Hybrid Monte Carlo (Duane et al., Phys. Lett. B 195, 216, 1987): trial moves by molecular dynamics."""

from __future__ import annotations

import numpy as np
from ase import units
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet


def sample(atoms, calculator, host, *, temperature_K, moves, steps, timestep_fs, seed, checkpoint):
    """Average potential energy in the canonical ensemble, and the part of the moves that was accepted."""
    state = checkpoint or {"positions": atoms.positions.copy(), "energies_eV": [], "accepted": 0}
    while (move := len(state["energies_eV"])) < moves:
        random = np.random.Generator(np.random.PCG64([seed, move]))
        atoms.positions = state["positions"]
        thermalize_momenta(atoms, temperature_K, rng=random)
        old_eV, start_eV = atoms.get_potential_energy(), atoms.get_total_energy()
        VelocityVerlet(atoms, timestep_fs * units.fs).run(steps)
        rise_eV = atoms.get_total_energy() - start_eV
        accepted = random.random() < np.exp(-max(rise_eV, 0.0) / (units.kB * temperature_K))
        energy_eV = atoms.get_potential_energy() if accepted else old_eV
        positions = atoms.positions.copy() if accepted else state["positions"]
        energies, count = [*state["energies_eV"], energy_eV], state["accepted"] + int(accepted)
        host.save_progress(state := {"positions": positions, "energies_eV": energies, "accepted": count})
    return {"mean_energy_eV": np.mean(state["energies_eV"]), "acceptance": state["accepted"] / moves}
