"""Agreement with what MLIP-2 itself computes, and with motep."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase import Atoms
from structures import awkward, potential

from alflow.potentials import evaluate
from alflow.potentials.mtp import read_mtp, write_mtp

FILES = ["level08_species1", "level12_species3", "level16_species2", "level20_species1", "level22_species2"]
VOIGT = {"xx": (0, 0), "yy": (1, 1), "zz": (2, 2), "yz": (1, 2), "xz": (0, 2), "xy": (0, 1)}


@pytest.mark.parametrize("name", FILES)
def test_mlip2(reference_data, name):
    folder = reference_data / "mtp_reference"
    species = ["Li", "Na", "K"][: int(name[-1])]
    mtp = read_mtp(folder / f"{name}.mtp", species)
    for case in json.loads((folder / f"{name}.json").read_text()):
        atoms = Atoms(
            [species[t] for t in case["types"]], case["positions_A"], cell=case["cell_A"], pbc=case["pbc"]
        )
        result = evaluate(mtp, [atoms])
        assert result.energy[0] == pytest.approx(case["energy_eV"], rel=1e-9)
        # the files print six to seven digits after the point of forces, five of stresses
        forces = np.array(case["forces_eV_per_A"])
        np.testing.assert_allclose(result.forces, forces, rtol=1e-9, atol=1.1e-6)
        for component, index in VOIGT.items():
            assert -result.virials[0][index] == pytest.approx(
                case["plus_stress_eV"][component], rel=1e-9, abs=1e-5
            )


@pytest.mark.parametrize(("level", "species"), [(8, 1), (12, 2), (16, 3)])
def test_motep(tmp_path, level, species):
    motep_mtp = pytest.importorskip("motep.io.mlip.mtp")
    from motep.calculator import MTP

    ours = potential(level, species, cutoff_A=4.5)
    write_mtp(tmp_path / "p.mtp", ours)
    data = motep_mtp.read_mtp(tmp_path / "p.mtp")
    for kind in ("skewed cell", "slab", "far outside the cell"):
        atoms = awkward(species)[kind]
        data.species = np.array([Atoms(s).numbers[0] for s in ours.species])
        atoms.calc = MTP(data, engine="cext", mode="run")
        result = evaluate(ours, [atoms])
        assert result.energy[0] == pytest.approx(atoms.get_potential_energy(), rel=1e-9)
        scale = np.abs(result.forces).max()
        np.testing.assert_allclose(result.forces, atoms.get_forces(), atol=1e-9 * scale)
