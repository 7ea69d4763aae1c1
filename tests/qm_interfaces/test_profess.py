from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.units import Bohr, Hartree

from qm_interfaces import SettingsError
from qm_interfaces.orbital_free import OrbitalFreeInterface
from qm_interfaces.profess import cutoff_eV, write_profess


def test_the_files_hold_the_structure_and_the_settings(tmp_path: Path) -> None:
    interface = OrbitalFreeInterface(kinetic="SM", pseudopotentials={"Al": "goodwin-needs-heine"})
    atoms = bulk("Al") * (2, 1, 1)
    atoms.rattle(0.1, seed=0)
    write_profess(atoms, interface, tmp_path)
    settings = dict(line.split(maxsplit=1) for line in (tmp_path / "label.inpt").read_text().splitlines())
    assert settings["kinetic"] == "WT"
    assert settings["exch"] == "LDA"
    assert settings["geometryfile"] == "label.ion"
    assert float(settings["ecut"]) == pytest.approx(cutoff_eV(0.36), abs=1e-3)
    lines = (tmp_path / "label.ion").read_text().splitlines()
    assert [line for line in lines if line.startswith("%")] == [
        f"%{edge}BLOCK {block}"
        for block in ("LATTICE_CART", "POSITIONS_FRAC", "SPECIES_POT")
        for edge in ("", "END ")
    ]
    cell = np.array([line.split() for line in lines[1:4]], dtype=float)
    fractions = np.array([line.split()[1:] for line in lines[6:8]], dtype=float)
    np.testing.assert_allclose(cell, atoms.cell.array, atol=1e-12)
    images = fractions - atoms.cell.scaled_positions(atoms.positions)
    np.testing.assert_allclose(images, np.rint(images), atol=1e-12)
    assert lines[10].split() == ["Al", "Al.recpot"]
    assert (tmp_path / "Al.recpot").is_file()


def test_a_cutoff_is_that_of_the_grid() -> None:
    wave_number_per_A = np.sqrt(2 * cutoff_eV(0.36) / Hartree) / Bohr
    assert wave_number_per_A == pytest.approx(np.pi / 0.36)


def test_pseudopotentials_that_profess_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "Al.psp8").write_text("anything")
    interface = OrbitalFreeInterface(pseudopotentials={"Al": str(tmp_path / "Al.psp8")})
    with pytest.raises(SettingsError, match=r"'pseudopotentials.Al' is a \.psp8 file"):
        write_profess(bulk("Al"), interface, tmp_path)
