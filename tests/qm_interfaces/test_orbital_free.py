from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from qm_interfaces import (
    CodeFailed,
    LabelLimits,
    NotConverged,
    QMResult,
    SettingsError,
    get_interface,
    run_label,
    validate,
)
from qm_interfaces.orbital_free import KINETIC_FUNCTIONALS
from qm_interfaces.pseudopotentials import EVANESCENT_CORE, recpot

pytest.importorskip("dftpy")
pytestmark = [pytest.mark.real_qm, pytest.mark.filterwarnings("ignore::DeprecationWarning:dftpy")]


@pytest.fixture
def skewed() -> Atoms:
    """Four Li atoms in a triclinic cell, off their sites."""
    atoms = bulk("Li", "bcc", a=3.45) * (2, 2, 1)
    strain = np.array([[0.0, 0.08, 0.02], [-0.03, 0.02, 0.1], [0.05, -0.04, -0.03]])
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    atoms.rattle(0.15, seed=3)
    return atoms


@pytest.mark.parametrize("kinetic", KINETIC_FUNCTIONALS)
def test_forces_and_stress_are_derivatives_of_the_energy(kinetic: str, skewed: Atoms, tmp_path: Path) -> None:
    from qm_interfaces.density_functional import Minimum, minimise

    (tmp_path / "Li.recpot").write_text(recpot(EVANESCENT_CORE["Li"]))

    def minimum(atoms: Atoms) -> Minimum:
        return minimise(
            atoms,
            {"Li": tmp_path / "Li.recpot"},
            kinetic=kinetic,
            xc="LDA",
            grid=[17, 17, 11],
            optimizer="TN",
            energy_tolerance_eV=1e-11,
            max_iterations=200,
            log=io.StringIO(),
        )

    found = minimum(skewed)
    assert found.converged
    step_A = 2e-3
    moved = []
    for sign in (1, -1):
        atoms = skewed.copy()
        atoms.positions[1, 2] += sign * step_A
        moved.append(minimum(atoms).energy_eV)
    assert found.forces_eV_A[1, 2] == pytest.approx(-(moved[0] - moved[1]) / (2 * step_A), abs=1e-4)
    step = 2e-4
    for component, (i, j) in {0: (0, 0), 4: (0, 2)}.items():
        strained = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[i, j] += sign * step / 2
            strain[j, i] += sign * step / 2
            atoms = skewed.copy()
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            strained.append(minimum(atoms).energy_eV)
        slope = (strained[0] - strained[1]) / (2 * step) / skewed.get_volume()
        assert found.stress_eV_A3[component] == pytest.approx(
            slope, abs=3e-5
        )  # 5 MPa: the grid moves with the cell


def test_aluminium_has_its_lattice_constant_and_forces(tmp_path: Path) -> None:
    aluminium = get_interface("orbital-free", pseudopotentials={"Al": "goodwin-needs-heine"})

    def label(atoms: Atoms) -> QMResult:
        return aluminium.compute(atoms, tmp_path)

    pulls = [label(bulk("Al", a=a_A)).stress_eV_A3[:3].sum() for a_A in (4.00, 4.08)]  # type: ignore[index]
    assert pulls[0] < 0 < pulls[1]  # experiment: 4.03 Å at 0 K
    atoms = bulk("Al") * (2, 1, 1)
    atoms.set_cell(atoms.cell.array @ [[1, 0.06, 0], [0, 1.02, 0.05], [0.04, 0, 0.97]], scale_atoms=True)
    atoms.rattle(0.1, seed=3)
    moved_eV = []
    for step_A in (0.005, -0.005):
        other = atoms.copy()
        other.positions[1, 2] += step_A
        moved_eV.append(label(other).energy_eV)
    assert label(atoms).forces_eV_A[1, 2] == pytest.approx(-(moved_eV[0] - moved_eV[1]) / 0.01, abs=0.005)


def test_structure_factors_are_those_of_dftpy(skewed: Atoms) -> None:
    from dftpy.grid import DirectGrid
    from dftpy.ions import Ions

    from qm_interfaces.density_functional import PhaseIons

    ours = PhaseIons(symbols=skewed.symbols, positions=skewed.positions, cell=skewed.cell.array)
    for points in ([8, 9, 10], [6, 5, 7]):
        grid = DirectGrid(lattice=ours.cell, nr=np.array(points), full=False).get_reciprocal()
        np.testing.assert_allclose(ours.strf(grid, 2), Ions.strf(ours, grid, 2), atol=1e-12)
        np.testing.assert_allclose(ours.istrf(grid, 2), Ions.istrf(ours, grid, 2), atol=1e-12)


def test_label_in_a_process_of_its_own(skewed: Atoms, tmp_path: Path) -> None:
    result = run_label("orbital-free", {}, skewed, tmp_path, timeout_s=60)
    assert validate(skewed, result, LabelLimits()) == []
    assert -7.5 < result.energy_eV / len(skewed) < -7.2
    assert (tmp_path / "dftpy.log").read_text().count("Density Optimization Converged") == 1
    assert result.code == "dftpy"


def test_no_convergence_is_an_error_and_the_next_attempt_gets_more_steps(
    skewed: Atoms, tmp_path: Path
) -> None:
    interface = get_interface("orbital-free", max_iterations=3, spacing_A=0.6)
    with pytest.raises(NotConverged, match="3 iterations"):
        interface.compute(skewed, tmp_path)
    interface.compute(skewed, tmp_path, attempt=10)


def test_structures_that_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(CodeFailed, match="periodic") as caught:
        get_interface("orbital-free").compute(Atoms("Li"), tmp_path)
    assert not caught.value.retryable
    with pytest.raises(SettingsError, match="no entry for Fe"):
        get_interface("orbital-free").compute(bulk("Fe"), tmp_path)


def test_pseudopotentials_are_part_of_the_level_of_theory(tmp_path: Path) -> None:
    def level(choice: object) -> dict[str, object]:
        return get_interface("orbital-free", pseudopotentials={"Li": choice}).level_of_theory()

    built_in = level("evanescent-core")
    (tmp_path / "mine.recpot").write_text(recpot(EVANESCENT_CORE["Li"]))
    assert level(str(tmp_path / "mine.recpot")) == built_in
    assert level({"valence": 1, "alpha": 3.549, "radius_bohr": 0.361}) == built_in
    assert level({"valence": 1, "alpha": 3.549, "radius_bohr": 0.362}) != built_in


@pytest.mark.parametrize("length_A", [2.9, 13.96, 14.4, 40.0])
def test_grids_are_dense_enough_and_even(length_A: float) -> None:
    interface = get_interface("orbital-free", spacing_A=0.36)
    points = interface.grid(Atoms(cell=[length_A] * 3, pbc=True))  # type: ignore[attr-defined]
    assert all(0.25 < length_A / count <= 0.36 and count % 2 == 0 for count in points)
