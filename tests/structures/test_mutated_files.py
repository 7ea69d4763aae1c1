"""Mutated files through the readers: nothing but `InputError` comes out."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import ase.io
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alflow.errors import InputError
from alflow.potentials import read_potential
from alflow.potentials.mtp import MomentTensorPotential, write_mtp
from alflow.selection import ActiveSet
from alflow.selection.graded import read_graded, write_graded
from alflow.structures.batch import read_batch
from alflow.structures.files import read_structures, write_structures

SPECIES = ["Cu", "Pd"]
WORDS = [
    "nan",
    "inf",
    "-1",
    "0",
    "1e999",
    "999999999",
    "abc",
    "T",
    "",
    "\x00",
    "γ",
    "{",
    '"',
    "=",
    "weight=x",
]
DATA = Path(__file__).parents[1] / "data" / "fuzz"

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["word", "delete", "repeat", "cut", "byte"]),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from(WORDS),
    ),
    min_size=1,
    max_size=3,
)


def labelled() -> Atoms:
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.symbols[1] = "Pd"
    atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=[[0.1, 0, 0]] * 4, stress=[0.01] * 6)
    return atoms


def mutated(data: bytes, changes: list[tuple[str, int, int, str]]) -> bytes:
    for kind, first, second, text in changes:
        lines = data.split(b"\n")
        at = first % len(lines)
        match kind:
            case "word":
                words = lines[at].split(b" ")
                words[second % len(words)] = text.encode()
                lines[at] = b" ".join(words)
            case "delete":
                del lines[at]
            case "repeat":
                lines.insert(second % len(lines), lines[at])
            case "cut":
                lines = [data[: first % (len(data) + 1)]]
            case _ if data:
                place = first % len(data)
                lines = [data[:place] + bytes([second % 256]) + data[place + 1 :]]
        data = b"\n".join(lines)
    return data


def mutated_member(data: bytes, changes: list[tuple[str, int, int, str]]) -> bytes:
    """A zip file with one changed member and right checksums."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(members)[changes[0][2] % len(members)]
    members[name] = mutated(members[name], changes)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Small files by their names."""
    folder = tmp_path_factory.mktemp("seeds")
    atoms = labelled()
    potential = MomentTensorPotential.random(SPECIES, 2, 4.0, min_distance_A=2.0)
    active_set = ActiveSet.from_structures(potential, [atoms], "neighborhood")
    write_structures(folder / "a.cfg", [atoms] * 2, species=SPECIES)
    write_structures(folder / "a.extxyz", [atoms] * 2)
    write_structures(folder / "POSCAR", [atoms])
    ase.io.write(folder / "a.cif", atoms)
    ase.io.write(folder / "a.data", atoms, format="lammps-data", masses=True)
    write_mtp(folder / "a.mtp", potential)
    write_graded(folder / "a.almtp", potential, active_set, [atoms])
    active_set.save(folder / "a.npz")
    own = {path.name: path.read_bytes() for path in folder.iterdir()}
    return own | {path.name: path.read_bytes() for path in DATA.iterdir() if path.name != "README.md"}


@pytest.mark.parametrize(
    "name",
    ["a.cfg", "a.extxyz", "POSCAR", "a.cif", "a.data", "OUTCAR", "vasprun.xml", "a.mtp", "a.almtp", "a.npz"],
)
def test_only_input_errors_come_out(
    seeds: dict[str, bytes], name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("mutated") / name

    def read() -> None:
        if path.suffix == ".mtp":
            read_potential(path, SPECIES)
        elif path.suffix == ".almtp":
            read_graded(path, SPECIES)
        elif path.suffix == ".npz":
            ActiveSet.load(path)
        else:
            read_structures(path, species=SPECIES)

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(CHANGES)
    def check(changes: list[tuple[str, int, int, str]]) -> None:
        change = mutated_member if path.suffix == ".npz" else mutated
        path.write_bytes(change(seeds[name], changes))
        try:
            read()
        except InputError as error:
            assert "\n" not in str(error)
            if path.suffix in (".cfg", ".extxyz"):
                try:
                    read_batch(path, species=SPECIES)
                except InputError as error_of_all:
                    assert "\n" not in str(error_of_all)

    path.write_bytes(seeds[name])
    read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check()
