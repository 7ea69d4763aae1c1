"""Functions that the tests of explorer kind `script` run."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from ase import Atoms
from ase.mep import NEB
from ase.optimize import LBFGS

from alflow.explorers.script import ScriptHost
from alflow.simulation.graded_calculator import GradedCalculator


def compress(
    atoms: Atoms, calculator: GradedCalculator, host: ScriptHost, *, to: float, steps: int = 10
) -> Any:
    """Energies of a crystal on the way to a scaled cell."""
    cell, energies = atoms.cell.copy(), []
    for step in range(steps + 1):
        atoms.set_cell(cell * (1 + (to - 1) * step / steps), scale_atoms=True)
        energies.append(atoms.get_potential_energy())
    return {"lowest_eV": np.min(energies), "energies_eV": energies, "structures": [atoms]}


def compress_and_ignore(
    atoms: Atoms, calculator: GradedCalculator, host: ScriptHost, **parameters: Any
) -> Any:
    """A program that takes every error for a bad energy, and saves what it has."""
    try:
        compress(atoms, calculator, host, **parameters)
    except Exception:  # noqa: BLE001  # that is the point
        host.save_progress({"nonsense": True})
    return {"lowest_eV": 0.0}


def walk(
    atoms: Atoms,
    calculator: GradedCalculator,
    host: ScriptHost,
    *,
    seed: int,
    checkpoint: Any,
    steps: int = 20,
) -> Any:
    """A random walk that goes on from what it saved."""
    state = checkpoint or {"step": 0, "positions": atoms.positions.copy(), "energy_eV": 0.0}
    while state["step"] < steps:
        step = np.random.default_rng([seed, state["step"]]).normal(scale=0.005, size=atoms.positions.shape)
        atoms.positions = state["positions"] + step
        state = {
            "step": state["step"] + 1,
            "positions": atoms.positions.copy(),
            "energy_eV": atoms.get_potential_energy(),
        }
        host.save_progress(state)
    return {"energy_eV": state["energy_eV"]}


def path(atoms: Atoms, calculator: GradedCalculator, host: ScriptHost) -> Any:
    """Another ASE program, each image of which wants a calculator of its own."""
    images = [atoms.copy() for _ in range(3)]
    images[-1].positions[0] += 0.1
    for image in images:
        image.calc = copy.deepcopy(calculator)
    band = NEB(images, method="improvedtangent")
    band.interpolate()
    LBFGS(band, logfile=None).run(fmax=0.5, steps=5)
    return {"saddle_eV": images[1].get_potential_energy()}


def failing(atoms: Atoms, calculator: GradedCalculator, host: ScriptHost) -> Any:
    """A mistake of its own."""
    raise ZeroDivisionError("as in the script")


def returning(atoms: Atoms, calculator: GradedCalculator, host: ScriptHost, *, what: Any) -> Any:
    """What it is told to."""
    return {"atoms": {"atoms": atoms}, "number": 3.0, "nothing": None}[what]
