"""Starting structures: read or built, checked, and displaced for the first labels."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk

from alflow.config import Build, Campaign, Displacements, Structure
from alflow.errors import InputError
from alflow.structure_files import read_structures


def starting_structures(campaign: Campaign) -> dict[str, Atoms]:
    """The structures of a campaign by name.

    Raises
    ------
    InputError
        If one cannot be read or built, holds a species that the campaign has not, or is not finite.
    """
    structures = {}
    for entry in campaign.structures:
        if entry.build is None:
            structures[entry.name] = _read(entry, campaign.species)
        else:
            structures[entry.name] = _build(entry.name, entry.build)
        strangers = sorted(set(structures[entry.name].get_chemical_symbols()) - set(campaign.species))
        if strangers:
            raise InputError(
                f"structure {entry.name!r} contains {', '.join(strangers)}, but the campaign's species are "
                f"{', '.join(campaign.species)}"
            )
    return structures


def _build(name: str, build: Build) -> Atoms:
    symbol = build.element + (build.second_element or "")
    try:
        atoms = bulk(symbol, build.crystal, a=build.a_A, c=build.c_A, cubic=build.cubic)
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


def _read(structure: Structure, species: list[str]) -> Atoms:
    structures = read_structures(structure.file or "", species=species)
    try:
        atoms = structures[structure.index]
    except IndexError:
        raise InputError(
            f"structure {structure.name!r}: index is {structure.index}, but {structure.file} "
            f"holds {len(structures)} structures"
        ) from None
    return Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def displaced(starts: list[Atoms], settings: Displacements) -> list[Atoms]:
    """Starting structures, in turn, with random normal displacements and a random symmetric strain.

    Parameters
    ----------
    starts
        The structures to vary.
    settings
        How many, how far (Å), how much strain, and the seed.
    """
    random = np.random.default_rng(settings.seed)
    structures = []
    for number in range(settings.count):
        atoms = starts[number % len(starts)].copy()
        strain = random.uniform(-settings.strain, settings.strain, (3, 3))
        if atoms.pbc.any():
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        atoms.positions += random.normal(scale=settings.displacement_A, size=atoms.positions.shape)
        structures.append(atoms)
    return structures
