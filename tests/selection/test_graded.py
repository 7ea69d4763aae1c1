from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from mo_crystals import displaced, mo_potential, several
from motep.calculator import MTP
from motep.io.mlip.mtp import read_mtp as motep_read_mtp

from alflow.errors import InputError
from alflow.potentials import evaluate, read_potential, write_potential
from alflow.potentials.mtp import MomentTensorPotential, write_mtp
from alflow.potentials.mtp.core import Core
from alflow.selection import ActiveSet, active_set, rows
from alflow.selection.graded import (
    active_configurations,
    almtp_to_bytes,
    graded_calculator,
    read_active_set,
    read_graded,
    write_graded,
)

MODES: list[active_set.Mode] = ["neighborhood", "configuration"]
POTENTIAL = mo_potential()
TRAINING = several(0.2, range(40), repeat=2)
HOT = several(0.35, range(900, 905), repeat=2)
PUBLISHED = os.environ.get("ALFLOW_PUBLISHED_ALMTP", "")
"""Folder with published .almtp files, none of which is part of this repository."""


def alloy_training() -> tuple[MomentTensorPotential, list[Atoms]]:
    """A potential with tungsten, and training structures without."""
    return MomentTensorPotential.random(["Mo", "W"], 8, 5.0, min_distance_A=1.9), TRAINING[:8]


@pytest.mark.parametrize("level", [8, 16])
@pytest.mark.parametrize("mode", MODES)
def test_grades_survive_a_round_trip(level: int, mode: active_set.Mode, tmp_path: Path) -> None:
    potential = mo_potential(level)
    training = TRAINING if mode == "neighborhood" else several(0.2, range(160), repeat=2)
    active = ActiveSet.from_structures(potential, training, mode)
    write_graded(tmp_path / "pot.almtp", potential, active, training)
    back, read = read_graded(tmp_path / "pot.almtp")
    assert read is not None
    np.testing.assert_array_equal(back.parameters, potential.parameters)
    assert (read.mode, read.missing_count) == (mode, 0)
    hot = rows(potential, HOT, mode)
    np.testing.assert_allclose(read.grades(hot), active.grades(hot), rtol=1e-9)
    assert [file.name for file in tmp_path.iterdir()] == ["pot.almtp"]


def test_a_core_survives_in_a_file_that_only_alflow_reads(tmp_path: Path) -> None:
    potential = replace(POTENTIAL, core=Core(np.array([[0.9]]), np.array([[1.8]])))
    active = ActiveSet.from_structures(potential, TRAINING[:8])
    write_graded(tmp_path / "pot.almtp", potential, active, TRAINING[:8])
    assert (tmp_path / "pot.almtp").read_bytes().startswith(b"ZBL+MTP\n")
    back, read = read_graded(tmp_path / "pot.almtp")
    assert isinstance(back, MomentTensorPotential)
    assert back.core is not None
    assert (back.core.inner_A, back.core.outer_A) == (0.9, 1.8)
    assert read is not None
    hot = rows(potential, HOT)
    np.testing.assert_allclose(read.grades(hot), active.grades(hot), rtol=1e-6)


def test_directions_that_no_training_row_spans_keep_their_grades(tmp_path: Path) -> None:
    potential, training = alloy_training()
    active = ActiveSet.from_structures(potential, training)
    assert active.missing_count > 50
    write_graded(tmp_path / "pot.almtp", potential, active, training)
    _, read = read_graded(tmp_path / "pot.almtp")
    assert read is not None and read.missing_count == active.missing_count
    solute = displaced(0.15, 20)
    solute.symbols[5] = "W"
    (known, _), (unknown, _) = read.grade_structures(potential, [training[0], solute])
    assert known <= 1 + 1e-6
    assert unknown == pytest.approx(active.grade_structures(potential, [solute])[0][0], rel=1e-6)


def test_the_matrices_are_those_that_mlip_3_and_lammps_multiply_by(tmp_path: Path) -> None:
    """LAMMPS: γ = max_i |Σ_j b_j M_ij| with the second matrix of the file (pair_mtp_extrapolation.cpp)."""
    active = ActiveSet.from_structures(POTENTIAL, TRAINING)
    data = almtp_to_bytes(POTENTIAL, active, TRAINING)
    size = POTENTIAL.parameter_count
    begin = data.index(b"\n#", data.index(b"#MVS_v1.1") + 3) + 2
    matrix, second = (
        np.frombuffer(data, "<f8", size**2, begin + 8 * size**2 * k).reshape(size, size) for k in (0, 1)
    )
    np.testing.assert_allclose(matrix @ second.T, np.eye(size), atol=1e-6)
    hot = rows(POTENTIAL, HOT)
    np.testing.assert_allclose(np.abs(hot @ second.T).max(axis=1), active.grades(hot), rtol=1e-9)
    pseudo = np.flatnonzero(np.count_nonzero(matrix, axis=1) == 1)
    assert len(pseudo) == size - len(active.matrix)  # the null directions
    np.testing.assert_array_equal(matrix[pseudo, pseudo], 1e-6)


def test_active_configurations_hold_the_active_rows(tmp_path: Path) -> None:
    active = ActiveSet.from_structures(POTENTIAL, TRAINING)
    write_graded(tmp_path / "pot.almtp", POTENTIAL, active, TRAINING)
    _, read = read_graded(tmp_path / "pot.almtp")
    frames = active_configurations(tmp_path / "pot.almtp")
    assert read is not None and read.row_count == sum(map(len, frames))
    own = rows(POTENTIAL, frames)
    np.testing.assert_allclose(own[read.origins] @ read.basis, read.matrix, rtol=1e-9, atol=1e-9)
    assert read.grades(own).max() <= 1 + 1e-6
    again = almtp_to_bytes(POTENTIAL, read, frames)
    assert again == (tmp_path / "pot.almtp").read_bytes()


def test_energy_weights_and_powers_of_the_atom_count(tmp_path: Path) -> None:
    """MLIP-3 multiplies a configuration's row by energy_weight, and a neighborhood's by nothing."""
    training = several(0.2, range(160), repeat=2)
    active = ActiveSet.from_structures(POTENTIAL, training, "configuration")
    data = almtp_to_bytes(POTENTIAL, active, training)
    path = tmp_path / "pot.almtp"
    path.write_bytes(data.replace(b"energy_weight 1.0", b"energy_weight 4.0"))
    _, read = read_graded(path)
    hot = rows(POTENTIAL, HOT, "configuration")
    assert read is not None
    np.testing.assert_allclose(read.grades(hot), 4 * active.grades(hot), rtol=1e-9)
    path.write_bytes(data.replace(b"weight_scaling 2", b"weight_scaling 1"))
    with pytest.raises(InputError, match="weight_scaling 1"):
        read_graded(path)


BROKEN = {
    "force_weight 1": lambda d: d.replace(b"force_weight 0.0", b"force_weight 1.0"),
    "stress_weight 1": lambda d: d.replace(b"stress_weight 0.0", b"stress_weight 1.0"),
    "exactly one of them": lambda d: d.replace(b"energy_weight 0.0", b"energy_weight 1.0"),
    "is no number": lambda d: d.replace(b"energy_weight 0.0", b"energy_weight x.0"),
    "#MVS_v1.1 belongs": lambda d: d.replace(b"#MVS_v1.1", b"#MVS_v9.9"),
    "are incomplete": lambda d: d.replace(b"stress_weight", b"stress"),
    "cut off or damaged": lambda d: d[: d.index(b"#MVS") + 1500],
    "not the identity": lambda d: d[: (at := d.index(b"scaling 2\n#") + 11)] + b"x" * 64 + d[at + 64 :],
    "must link": lambda d: d.replace(b"\n#\n", b"\n#\n0 0\n", 1),
    "refers to configuration": lambda d: d[: d.index(b"BEGIN_CFG")],
}  # fmt: skip


@pytest.mark.parametrize("message", BROKEN)
def test_broken_states_are_refused_in_one_sentence(message: str, tmp_path: Path) -> None:
    active = ActiveSet.from_structures(POTENTIAL, TRAINING)
    data = almtp_to_bytes(POTENTIAL, active, TRAINING)
    path = tmp_path / "pot.almtp"
    path.write_bytes(BROKEN[message](data))
    with pytest.raises(InputError, match=message) as caught:
        read_graded(path)
    assert "\n" not in str(caught.value)
    assert read_potential(path).species == ("Mo",)  # without grades it can be used


def test_other_structures_another_potential_and_a_file_without_grades_are_refused(tmp_path: Path) -> None:
    active = ActiveSet.from_structures(POTENTIAL, TRAINING)
    with pytest.raises(InputError, match="given structures have"):
        almtp_to_bytes(POTENTIAL, active, TRAINING[1:])
    with pytest.raises(InputError, match="in the same order"):
        almtp_to_bytes(POTENTIAL, active, TRAINING[::-1])
    with pytest.raises(InputError, match="other parameters"):
        almtp_to_bytes(mo_potential(seed=1), active, TRAINING)
    with pytest.raises(InputError, match=r"written to a \.mtp file"):
        write_potential(tmp_path / "pot.almtp", POTENTIAL)
    write_mtp(tmp_path / "pot.mtp", POTENTIAL)
    (tmp_path / "bare.almtp").write_bytes((tmp_path / "pot.mtp").read_bytes())
    for name in ("pot.mtp", "bare.almtp"):
        assert read_graded(tmp_path / name)[1] is None
    with pytest.raises(InputError, match="without an active set"):
        read_active_set(tmp_path / "bare.almtp", POTENTIAL)


def test_the_calculator_of_a_file_has_its_grades(tmp_path: Path) -> None:
    active = ActiveSet.from_structures(POTENTIAL, TRAINING)
    write_graded(tmp_path / "pot.almtp", POTENTIAL, active, TRAINING)
    active.save(tmp_path / "active.npz")
    atoms = HOT[0].copy()
    atoms.calc = graded_calculator(tmp_path / "pot.almtp")
    atoms.get_potential_energy()
    expected = active.grade_structures(POTENTIAL, [atoms])[0][0]
    assert atoms.calc.results["extrapolation_grade"] == pytest.approx(expected, rel=1e-9)
    for name in ("pot.almtp", "active.npz"):
        assert len(read_active_set(tmp_path / name, POTENTIAL).matrix) == len(active.matrix)
    with pytest.raises(InputError, match="other parameters"):
        read_active_set(tmp_path / "pot.almtp", replace(POTENTIAL, cutoff_A=5.1))


@pytest.mark.skipif(not PUBLISHED, reason="ALFLOW_PUBLISHED_ALMTP names no folder")
def test_published_files() -> None:
    """Files of others: `<name>.<symbols, joined by dashes>.almtp`, such as `cu.Cu.almtp`."""
    for path in sorted(Path(PUBLISHED).glob("*.almtp")):
        species = path.stem.rpartition(".")[2].split("-")
        potential, active = read_graded(path, species)
        frames = active_configurations(path, species)
        assert active is not None and isinstance(potential, MomentTensorPotential)
        own = rows(potential, frames, active.mode)
        largest = active.grades(own).max()
        text = path.with_suffix(".mtp")
        write_mtp(text, potential)
        data = motep_read_mtp(text)
        data.species = list(dict.fromkeys(atoms.numbers[0] for atoms in [Atoms(s) for s in species]))
        text.unlink()
        peer = []
        for atoms in frames:
            copy = atoms.copy()
            copy.calc = MTP(data)
            peer.append(copy.get_potential_energy())
        difference = np.abs(evaluate(potential, frames).energy - peer).max()
        print(
            f"{path.name}: {species}, m {potential.parameter_count}, functions "
            f"{len(potential.moment_coefficients)}, "
            f"active rows {(active.origins >= 0).sum()}, {len(frames)} configurations, "
            f"largest own grade − 1 {largest - 1:.1e}, energies {difference:.1e} eV"
        )
        assert largest <= 1 + 1e-6
        assert difference < 1e-8
