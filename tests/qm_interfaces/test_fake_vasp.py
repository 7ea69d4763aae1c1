"""The stand-in for VASP: both libraries that read VASP read what it writes, and its plan is kept to."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read
from planted import planted_mode
from test_vasp import alloy, settings, worker

from qm_interfaces.relaxation import RelaxationSettings
from qm_interfaces.relaxation_driver import relax
from qm_interfaces.vasp import VaspInterface

__all__ = ["alloy", "worker"]  # fixtures


def test_ase_and_pymatgen_read_the_same_static_run(alloy: Atoms, tmp_path: Path) -> None:
    from pymatgen.io.vasp import Oszicar, Outcar, Poscar, Vasprun

    result = VaspInterface(**settings()).compute(alloy, tmp_path)
    folder = tmp_path / "vasp-1"
    vasprun = Vasprun(folder / "vasprun.xml", parse_potcar_file=False)
    assert vasprun.converged and len(vasprun.ionic_steps) == 1
    assert vasprun.ionic_steps[0]["e_fr_energy"] == pytest.approx(result.energy_eV)
    assert vasprun.final_energy == pytest.approx(result.details["E0_eV"])
    outcar = Outcar(folder / "OUTCAR")
    assert outcar.final_fr_energy == pytest.approx(result.energy_eV)
    assert Oszicar(folder / "OSZICAR").final_energy == pytest.approx(result.details["E0_eV"])
    by_file = {name: read(folder / name) for name in ("vasprun.xml", "OUTCAR")}
    for atoms in by_file.values():
        assert isinstance(atoms, Atoms)
        assert atoms.get_potential_energy(force_consistent=True) == pytest.approx(result.energy_eV)
        np.testing.assert_allclose(atoms.get_forces(), vasprun.ionic_steps[0]["forces"], atol=1e-7)
        np.testing.assert_allclose(
            atoms.positions, Poscar.from_file(folder / "CONTCAR").structure.cart_coords, atol=1e-6
        )


def test_ase_and_pymatgen_read_the_same_relaxation(alloy: Atoms, tmp_path: Path) -> None:
    from pymatgen.io.vasp import Outcar, Vasprun

    result = relax(VaspInterface(**settings()), alloy, tmp_path, RelaxationSettings(0.05, 1e-2, steps=50))
    folder = tmp_path / "vasp-1" / "relax-1"
    vasprun = Vasprun(folder / "vasprun.xml", parse_potcar_file=False)
    frames = read(folder / "vasprun.xml", index=":")
    assert vasprun.converged and len(frames) == len(vasprun.ionic_steps) == result.details["evaluations"] - 1
    assert len(read(folder / "OUTCAR", index=":")) == len(frames)
    energies = [step["e_fr_energy"] for step in vasprun.ionic_steps]
    assert energies[-1] < energies[0]
    assert energies == pytest.approx([frame.get_potential_energy(force_consistent=True) for frame in frames])
    assert Outcar(folder / "OUTCAR").final_fr_energy == pytest.approx(energies[-1])


def test_a_plan_is_kept_to_one_configuration_after_the_other(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"modes": ["crash", "silent"]}))
    met = [planted_mode(str(plan), text) for text in ("a", "b", "a", "c", "b")]
    assert met == ["crash", "silent", "crash", "right", "silent"]
    assert planted_mode("truncated", "a") == "truncated"


def test_a_plan_with_a_probability(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"modes": ["crash", "silent"], "probability": 0.4}))
    met = Counter(planted_mode(str(plan), str(number)) for number in range(200))
    again = Counter(planted_mode(str(plan), str(number)) for number in range(200))
    assert met == again and all(20 < met[mode] < 60 for mode in ("crash", "silent"))
