from __future__ import annotations

from collections import Counter
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from alflow.errors import InputError
from alflow.hull.candidates import Candidate, Derivative, Files, Prototypes, RandomCrystals, candidates
from alflow.states import Dropped

SPECIES = ["Cu", "Pd"]


def good(found: list[Candidate]) -> list[Atoms]:
    return [each.atoms for each in found if each.reason is None and each.atoms is not None]


def copper_palladium(a_A: float = 3.0) -> Atoms:
    return bulk("CuPd", "cesiumchloride", a=a_A)


def test_orderings_have_the_volume_of_their_elements() -> None:
    pytest.importorskip("icet", reason="needs icet: pip install 'alflow[hull]'")
    volumes = {"Cu": 11.0, "Pd": 15.0}
    found = list(candidates([Derivative("fcc", 3), Derivative("hcp", 4)], SPECIES, volumes_A3=volumes))
    assert Counter(each.source for each in found) == {"fcc": 2 + 2 + 6, "hcp": 3 + 10}
    for atoms in good(found):
        counts = Counter(atoms.symbols)
        assert atoms.cell.volume == pytest.approx(11 * counts["Cu"] + 15 * counts["Pd"])


def test_each_crystal_comes_at_each_volume() -> None:
    pytest.importorskip("icet", reason="needs icet: pip install 'alflow[hull]'")
    first, second = candidates([Derivative("bcc", 1)], ["Cu"], volume_factors=[0.9, 1.1])
    assert first.atoms is not None and second.atoms is not None
    assert second.atoms.cell.volume / first.atoms.cell.volume == pytest.approx(1.1 / 0.9)


def test_bad_files_of_a_folder_are_set_aside(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "1.cif", copper_palladium())
    ase.io.write(tmp_path / "2.vasp", bulk("Pd"))
    (tmp_path / "3.cif").write_text("data_broken\n_cell_length_a what")
    close = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 0.9]], cell=[4, 4, 4], pbc=True)
    flat = Atoms("Cu", cell=[[3, 0, 0], [0, 3, 0], [3, 3, 0]], pbc=True)
    strange = bulk("Au")
    molecule = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.3]])
    ase.io.write(tmp_path / "4.extxyz", [close, flat, strange, molecule, copper_palladium(4.0)])
    (tmp_path / "5.extxyz").touch()
    found = list(candidates([Files(tmp_path)], SPECIES))
    assert [each.source for each in found if each.reason is None] == ["1.cif frame 1", "2.vasp frame 1"]
    reasons = {each.source: str(each.reason) for each in found if each.reason}
    duplicates = [each.source for each in found if each.dropped == Dropped.DUPLICATE]
    assert duplicates == ["4.extxyz frame 5"]
    assert {each.dropped for each in found if each.source not in duplicates} == {None, Dropped.UNUSABLE}
    assert all((each.dropped is None) == (each.reason is None) for each in found)
    assert "3.cif: " in reasons["3.cif"]
    assert "they overlap" in reasons["4.extxyz frame 1"]
    assert "volume must not be zero" in reasons["4.extxyz frame 2"]
    assert "atoms of Au; the species are Cu, Pd" in reasons["4.extxyz frame 3"]
    assert "not periodic" in reasons["4.extxyz frame 4"]
    assert "same crystal as an earlier" in reasons["4.extxyz frame 5"]
    assert "empty" in reasons["5.extxyz"]
    assert len(found) == 9


def test_what_precedes_a_broken_frame_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "pool.extxyz"
    ase.io.write(file, [copper_palladium(), bulk("Cu"), bulk("Pd", "bcc", a=3.0)])
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:-1], "Pd 0.0 what 0.0"]))
    found = list(candidates([Files(file)], SPECIES))
    assert [each.source for each in found] == [
        "pool.extxyz frame 1",
        "pool.extxyz frame 2",
        "pool.extxyz after frame 2",
    ]
    assert len(good(found)) == 2


def test_labels_of_files_stay_behind(tmp_path: Path) -> None:
    atoms = copper_palladium()
    atoms.info["energy"] = -3.0
    ase.io.write(tmp_path / "a.extxyz", atoms)
    (found,) = candidates([Files(tmp_path / "a.extxyz")], SPECIES)
    assert found.atoms is not None
    assert found.atoms.calc is None and not found.atoms.info


def test_prototypes_are_decorated_in_all_ways() -> None:
    pytest.importorskip("pymatgen", reason="needs pymatgen: pip install 'alflow[hull]'")
    found = list(candidates([Prototypes(("L1_2", "B2", "C15"))], SPECIES))
    formulas = Counter(atoms.get_chemical_formula(mode="metal", empirical=True) for atoms in good(found))
    assert formulas == {"CuPd3": 1, "Cu3Pd": 1, "CuPd": 1, "CuPd2": 1, "Cu2Pd": 1}
    assert [each.source for each in found if each.reason] == ["B2"]


def test_a_prototype_that_is_an_ordering_comes_once() -> None:
    """L1_2 is an ordering of fcc; so is D0_22 with the ideal axes, that of the example is longer."""
    pytest.importorskip("pymatgen", reason="needs pymatgen: pip install 'alflow[hull]'")
    pytest.importorskip("icet", reason="needs icet: pip install 'alflow[hull]'")
    found = list(candidates([Derivative("fcc", 4), Prototypes(("L1_2", "D0_22"))], SPECIES))
    assert [each.source for each in found if each.reason] == ["L1_2", "L1_2"]
    assert len(good(found)) == 29 + 2


def test_random_crystals_are_reproducible() -> None:
    pytest.importorskip("pyxtal", reason="needs PyXtal: pip install 'alflow[hull]'")
    few, more = (list(candidates([RandomCrystals(count, 6, seed=3)], SPECIES)) for count in (4, 5))
    assert len(few) == 4 and len(more) == 5
    for one, other in zip(few, more, strict=False):
        assert one.reason == other.reason
        assert one.atoms is not None and other.atoms is not None
        np.testing.assert_array_equal(one.atoms.positions, other.atoms.positions)
        assert len(one.atoms) <= 6


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (Files(Path("nowhere")), "nowhere: there is no such file or folder"),
        (Prototypes(("L1_9",)), "prototype 'L1_9' is unknown"),
        (Derivative("cubic", 4), "parent lattice 'cubic' is neither"),
    ],
)
def test_a_wrong_source_is_refused_at_once(source: Files | Prototypes | Derivative, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        candidates([source], SPECIES)


def test_an_element_without_a_known_crystal_needs_its_volume() -> None:
    with pytest.raises(InputError, match=r"atomic volume of O: .* give its volume per atom"):
        candidates([Derivative("fcc", 2)], ["Cu", "O"])
    with pytest.raises(InputError, match="atomic volume of Au: the species are Cu, Pd"):
        candidates([Derivative("fcc", 2)], SPECIES, volumes_A3={"Au": 17.0})
