"""Starting structures: read from files or built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from ase import Atoms
from ase.build import bulk
from pydantic import Field, model_validator

from alflow.errors import InputError
from alflow.settings import Name, Section, Symbol
from alflow.structures.files import read_structures

Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=20)]


class Build(Section):
    """A crystal built with `ase.build.bulk`, repeated, optionally as an alloy."""

    element: Symbol = Field(description="chemical symbol of the crystal")
    crystal: Literal["sc", "fcc", "bcc", "hcp", "diamond", "zincblende", "rocksalt", "cesiumchloride"] = (
        Field(description="crystal structure")
    )
    a_A: float = Field(ge=1.5, le=20, description="lattice constant, Å")
    c_A: float | None = Field(default=None, ge=1.5, le=30, description="second lattice constant (hcp), Å")
    second_element: Symbol | None = Field(default=None, description="other element of a binary crystal")
    cubic: bool = Field(default=False, description="use the conventional cubic cell")
    repeat: list[Count] = Field(default=[1, 1, 1], min_length=3, max_length=3, description="repetitions")
    composition: dict[Symbol, Fraction] | None = Field(
        default=None, description="fractions of a random alloy on all sites, e.g. {Cu: 0.5, Pd: 0.5}"
    )
    seed: int = Field(default=0, ge=0, description="seed of the random alloy")

    @model_validator(mode="after")
    def _fractions_sum_to_one(self) -> Build:
        if self.composition is not None and abs(sum(self.composition.values()) - 1) > 1e-6:
            raise ValueError(
                f"composition adds up to {sum(self.composition.values()):g}, it must add up to 1"
            )
        return self


class Structure(Section):
    """A starting structure: read from a file or built."""

    name: Name = Field(description="name by which explorers refer to it")
    file: str | None = Field(default=None, description="file that ASE reads; relative to the campaign file")
    index: int = Field(default=0, description="which structure of the file, counted from 0; -1 is the last")
    repeat: list[Count] = Field(
        default=[1, 1, 1], min_length=3, max_length=3, description="repetitions of the structure of the file"
    )
    build: Build | None = Field(default=None, description="or a crystal to build")

    @model_validator(mode="after")
    def _one_source(self) -> Structure:
        if (self.file is None) == (self.build is None):
            raise ValueError(f"structure {self.name!r} needs either `file` or `build`, and not both")
        if self.build is not None and self.repeat != [1, 1, 1]:
            raise ValueError(f"structure {self.name!r} has `repeat` beside `build`; it belongs into `build`")
        return self


def starting_structures(entries: Sequence[Structure], species: Sequence[str]) -> dict[str, Atoms]:
    """The structures by name.

    Raises
    ------
    InputError
        If a structure cannot be read or built, holds a species that is not among `species`, or is not finite.
    """
    structures = {}
    for entry in entries:
        if entry.build is None:
            structures[entry.name] = _read(entry, species)
        else:
            structures[entry.name] = _build(entry.name, entry.build)
        strangers = sorted(set(structures[entry.name].get_chemical_symbols()) - set(species))
        if strangers:
            raise InputError(
                f"structure {entry.name!r} contains {', '.join(strangers)}, but the campaign's species are "
                f"{', '.join(species)}"
            )
    return structures


def _build(name: str, build: Build) -> Atoms:
    symbol = build.element + (build.second_element or "")
    try:
        atoms: Atoms = bulk(symbol, build.crystal, a=build.a_A, c=build.c_A, cubic=build.cubic)
    except (ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"structure {name!r} cannot be built: {error}") from None
    atoms = atoms.repeat(build.repeat)
    if build.composition:
        symbols = list(build.composition)
        counts = np.floor(np.array(list(build.composition.values())) * len(atoms) + 1e-9).astype(int)
        counts[0] += len(atoms) - counts.sum()
        sites = np.repeat(symbols, counts)
        atoms.symbols = np.random.default_rng(build.seed).permutation(sites)
    return atoms


def _read(structure: Structure, species: Sequence[str]) -> Atoms:
    structures = read_structures(structure.file or "", species=species)
    try:
        atoms = structures[structure.index]
    except IndexError:
        raise InputError(
            f"structure {structure.name!r}: index is {structure.index}, but {structure.file} "
            f"holds {len(structures)} structures"
        ) from None
    bare = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    return bare if structure.repeat == [1, 1, 1] else bare.repeat(structure.repeat)
