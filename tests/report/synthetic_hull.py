"""Made-up screenings of a plausible shape, for the tests of their results."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import numpy as np
from ase import Atoms
from ase.build import bulk

from alflow.hull import hull_distances
from alflow.results import CampaignRecord, Cost
from alflow.states import CampaignState, Dropped, LabelKind, Role
from workflows.hull_screening.compounds import Compound
from workflows.hull_screening.phase import Phase
from workflows.hull_screening.results import (
    FINAL,
    POTENTIALS,
    TRAINING,
    DropRecord,
    EnergySet,
    FinalRecord,
    HullData,
    StageRecord,
    WorkRecord,
)

CELLS = {2: 2, 3: 2, 4: 4}


def energy_set(fractions: np.ndarray, noise_eV: float, seed: int) -> EnergySet:
    """Regular solution with a few orderings that are lower."""
    random = np.random.default_rng(seed)
    mixing_eV = -0.25 * (1 - (fractions**2).sum(axis=1))
    formation_eV = mixing_eV * random.uniform(0.5, 1, len(fractions))
    formation_eV += noise_eV * random.normal(size=len(fractions))
    formation_eV[fractions.max(axis=1) == 1] = 0.004
    elements = [int(np.flatnonzero(column == 1)[0]) for column in fractions.T]
    formation_eV[elements] = 0
    return EnergySet(fractions, formation_eV, hull_distances(fractions, formation_eV))


def compositions(species: int, copies: int) -> np.ndarray:
    """All with up to six atoms, some times each."""
    found = {tuple(np.divide(n, sum(n))) for n in product(range(7), repeat=species) if 0 < sum(n) <= 6}
    return np.repeat(sorted(found), copies, axis=0)


def compound(
    fractions: np.ndarray, species: list[str], formation_eV: float, above_eV: float, number: int
) -> Compound:
    atoms_in_cell = next(n for n in range(1, 7) if np.allclose(np.mod(n * fractions + 1e-9, 1), 0, atol=1e-6))
    counts = np.rint(fractions * atoms_in_cell).astype(int)
    symbols = [symbol for symbol, count in zip(species, counts, strict=True) for _ in range(count)]
    atoms = bulk("Cu", "fcc", a=3.8).repeat((atoms_in_cell, 1, 1))
    atoms.symbols = symbols
    formula = "".join(f"{s}{c if c > 1 else ''}" for s, c in zip(species, counts, strict=True) if c)
    name = f"fcc-{number:05d}"
    return Compound(
        name, formula, tuple(fractions.tolist()), Atoms(atoms), -3.5 + formation_eV, formation_eV, above_eV,
        "Pm-3m", 221, ("bcc-00007",) if above_eV == 0 and atoms_in_cell > 1 else (),
    )  # fmt: skip


def synthetic_hull(species: list[str]) -> HullData:
    """A finished screening in two stages."""
    pool = compositions(len(species), 40)
    final = energy_set(pool[::6], 0.0, 3)
    near = np.flatnonzero(final.above_hull_eV <= 0.025)
    near = near[np.argsort(final.above_hull_eV[near], kind="stable")]
    compounds = [
        compound(fractions, species, float(formation_eV), float(above_eV), number)
        for number, (fractions, formation_eV, above_eV) in enumerate(
            zip(final.fractions[near], final.formation_eV[near], final.above_hull_eV[near], strict=True)
        )
    ]
    labels = {LabelKind.INITIAL: 30, LabelKind.EXTRAPOLATIVE: 64, LabelKind.VALIDATION: 32}
    later = {LabelKind.EXTRAPOLATIVE: 40, LabelKind.VALIDATION: 32}
    count, coarse, fine = len(pool), energy_set(pool, 0.01, 1), energy_set(pool[::5], 0.003, 2)
    stages = [
        StageRecord(1, {"level": 8}, 4.0, 0.0, count + 3, count, count // 5, 0.012, labels, 4, 31.0, 8.0,
                    coarse),
        StageRecord(2, {"level": 16}, 4.0, 0.01, count // 5, count // 5, count // 6, 0.004, later, 2, 12.0,
                    21.0, fine),
    ]  # fmt: skip
    return HullData(
        campaign=CampaignRecord(
            name="-".join(species).lower() + "-hull",
            kind="hull-screening",
            title="screening",
            state=CampaignState.FINISHED,
            reason=f"{sum(c.stable for c in compounds)} structures are on the hull; `alflow hull` shows them",
            rounds=11,
            began=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
            ended=datetime(2026, 1, 2, 3, 9, tzinfo=UTC),
            species=species,
            cost={
                Role.EXPLORE: Cost(80.0, 43.0, 0.0),
                Role.LABEL: Cost(340.0, 350.0, 60.0),
                Role.TRAIN: Cost(30.0, 29.0, 0.0),
            },
            labels=[],
            levels=[{"code": "EMT", "relaxation": {"fmax_eV_A": 0.01}}],
            config={"name": "x", "species": species},
            software={"alflow": "0.1.0"},
        ),
        phase=Phase.FINAL,
        stage=2,
        window_eV=0.025,
        complete_eV=0.01,
        symmetry_tolerance_A=0.05,
        hull_of="QM",
        compounds=compounds,
        energies=final,
        stages=stages,
        final=FinalRecord(len(final.formation_eV) + 1, len(final.formation_eV), 1, 4321, 310.0),
        dropped=[
            DropRecord(1, Dropped.ABOVE_HULL, 400, "fcc-00012: 0.12 eV/atom above the hull, 4σ = 0.048"),
            DropRecord(1, Dropped.UNUSABLE, 3, "files-7: atoms 1 and 2 are 0.2 Å apart"),
            DropRecord(3, Dropped.QM_FAILED, 1, "hcp-00044: relaxation failed: no SCF"),
        ],
        work=[
            WorkRecord(FINAL, 310.0, 4321),
            WorkRecord(TRAINING, 40.0, 198),
            WorkRecord(POTENTIALS, 72.0, 0),
        ],
    )
