"""A commented campaign file to begin with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from alflow.structures.cells import repetitions
from qm_interfaces.suggestion import Suggestion

CUTOFF_A = (4.5, 6.0)
CUTOFF_PER_NEAREST = 2.15  # the second or third shell of neighbours
MOST_ATOMS = 32  # of a supercell: a plane-wave label takes about (atoms)³, minutes for 64 on one core
LEAST_HEIGHT = 1.0  # of a supercell, in cutoffs
SIMULATIONS = ("md", "relax")


def campaign_text(
    name: str, structure: Atoms, file: Path, suggestion: Suggestion, *, simulate: str = "md"
) -> str:
    """The text of a campaign file.

    Parameters
    ----------
    name
        Name of the campaign.
    structure
        The starting structure.
    file
        Its file, relative to the campaign file.
    suggestion
        The section `qm`.
    simulate
        One of `SIMULATIONS`.
    """
    species = sorted(set(structure.symbols))
    cutoff_A = _cutoff_A(structure)
    repeat = repetitions(structure, LEAST_HEIGHT * cutoff_A, MOST_ATOMS)
    count = len(structure) * int(np.prod(repeat))
    remarks = "".join(f"\n# {remark}" for remark in suggestion.remarks)
    return f"""\
# Made by `alflow init`. Next: `alflow check` this file, then `alflow run` it. All keys: docs/campaign_file.md
name: {name}
species: {_flow(species)}

# Starting structures: {count} atoms, for the explorers and for QM, whose cost grows with about their cube.
# The cell may be smaller than twice the cutoff, because the potential sees all periodic images.
structures:
  - name: start
    file: {_flow(str(file))}
    repeat: {_flow(repeat)}

# A moment tensor potential; level 16 is more accurate and needs more labels.
potential:
  level: 12
  cutoff_A: {cutoff_A}

# What you want to simulate; it pauses where the potential would have to guess.
explorers:
{_explorer(simulate, structure)}
# Extrapolation grades: a frame above gamma_save may be labelled, a run pauses above gamma_break.
selection:
  gamma_save: 2.1
  gamma_break: 10
  labels_per_round: 4

# The code that computes labels.{remarks}
qm:
  interface: {suggestion.interface}
{_indented({"options": suggestion.options})}  timeout_s: 3600  # of the first attempt at a label, s

# The first labels: displaced and strained copies of the starting structures.
initial:
  count: 6
  displacement_A: 0.08
  strain: 0.03

# Frames at random times of the runs, labelled but never trained on: they measure the error; 0 for none.
validation:
  labels: 10

# Limits at which the campaign ends unfinished.
stop:
  max_labels: 200
  max_rounds: 50
"""


def _explorer(simulate: str, structure: Atoms) -> str:
    if simulate == "relax":
        cell = str(bool(structure.pbc.all())).lower()
        return f"  - name: relax\n    kind: relax\n    structures: start\n    cell: {cell}\n"
    timestep_fs = _timestep_fs(sorted(set(structure.symbols)))
    return f"""\
  - name: md
    kind: md
    structure: start
    ensemble: nvt  # or npt, with pressure_GPa
    temperature_K: 300
    timestep_fs: {timestep_fs}  # for the lightest element
    duration_ps: 10
    trajectory_every_ps: 0.1  # `alflow trajectory` writes it to a file
"""


def _timestep_fs(species: Sequence[str]) -> float:
    lightest = min(atomic_masses[atomic_numbers[symbol]] for symbol in species)
    return 0.5 if lightest < 4 else 1.0 if lightest < 25 else 2.0


def _cutoff_A(structure: Atoms) -> float:
    from ase.neighborlist import neighbor_list

    distances = neighbor_list("d", structure, CUTOFF_A[1])
    nearest = float(distances.min()) if len(distances) else CUTOFF_A[1]
    return round(float(np.clip(CUTOFF_PER_NEAREST * nearest, *CUTOFF_A)), 1)


def _flow(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _indented(value: object) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
    return "".join(f"  {line}\n" for line in text.splitlines())
