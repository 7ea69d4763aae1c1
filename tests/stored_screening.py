"""A small screening of Cu–Pd as the store keeps it, made by hand, for the tests of reports and status."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from alflow.campaign.file import parse_campaign
from alflow.potentials.mtp import MomentTensorPotential
from alflow.states import CandidateState, ChunkTask, Dropped, LabelKind
from alflow.store import Store
from workflows.hull_screening.phase import Phase

NAME = "cu-pd"
CONFIG: dict[str, Any] = {
    "name": NAME,
    "species": ["Cu", "Pd"],
    "candidates": [{"lattice": "fcc", "max_atoms": 4}],
    "stages": [{"potential": {"level": 4, "cutoff_A": 4.0}}, {"potential": {"level": 6, "cutoff_A": 4.5}}],
    "qm": {"interface": "mock"},
}
RELAXATION = {"fmax_eV_A": 0.01, "smax_eV_A3": 0.0006, "steps": 500, "pressure_GPa": 0.0}
COPPER_EV, PALLADIUM_EV = -3.5, -3.7  # per atom
SIGMA_EV = (0.01, 0.002)
COST = {
    "explore": {"processor_s": 6.0, "wall_s": 5.0, "waiting_s": 0.0},
    "label": {"processor_s": 48.0, "wall_s": 44.0, "waiting_s": 12.0},
    "train": {"processor_s": 6.0, "wall_s": 6.5, "waiting_s": 0.5},
}
ROUNDS = (
    (Phase.GATHERING, 0, LabelKind.INITIAL),
    (Phase.LEARNING, 0, LabelKind.EXTRAPOLATIVE),
    (Phase.VALIDATION, 0, LabelKind.VALIDATION),
    (Phase.LEARNING, 1, LabelKind.EXTRAPOLATIVE),
    (Phase.VALIDATION, 1, LabelKind.VALIDATION),
    (Phase.FINAL, 2, LabelKind.FINAL),
)
"""Phase and stage of each round, and what its labels are asked for."""


def fcc(symbols: str, repeat: tuple[int, int, int] = (1, 1, 1)) -> Atoms:
    """Orderings on the cubic cell of four atoms: Cu4, Cu2Pd2 in layers along z, Cu3Pd."""
    atoms = bulk("Cu", a=3.7, cubic=True)
    atoms.symbols = symbols
    return atoms.repeat(repeat)


def b2() -> Atoms:
    return bulk("CuPd", "cesiumchloride", a=2.95)


def crystals() -> dict[str, tuple[Atoms, float]]:
    """By name, the candidates that are relaxed to the end, and their energies by QM, eV per atom."""
    return {
        "fcc 1": (bulk("Cu", a=3.6), COPPER_EV),
        "fcc 2": (bulk("Pd", a=3.9), PALLADIUM_EV),
        "fcc 3": (fcc("CuPdPdCu"), -3.70 + 3e-5),
        "fcc 4": (fcc("CuPdPdCu", (1, 1, 2)), -3.70),
        "fcc 5": (fcc("PdCuCuCu"), -3.62),
        "bcc 6": (b2(), -3.69),
    }


def fill(store: Store, *, finished: bool = True) -> None:
    """Finished; or in the second stage's first round, before anything is relaxed in it."""
    store.campaigns.create(parse_campaign(CONFIG))
    _candidates(store, finished)
    _labels(store, finished)
    _rounds(store, finished)
    progress: dict[str, Any] = {"round": 3, "phase": "learning", "stage": 1, "sample": 500}
    if finished:
        progress = {"round": 5, "phase": "final", "stage": 2, "state": "finished", "reason": "3 on the hull"}
    store.campaigns.collection.update_one({"name": NAME}, {"$set": progress | {"cost": COST}})


def _candidates(store: Store, finished: bool) -> None:
    shapes = {name: atoms for name, (atoms, _) in crystals().items()}
    shapes |= {"fcc 7": fcc("CuPdPdPd"), "fcc 9": fcc("CuCuPdPd"), "fcc 10": fcc("CuPdCuPd", (2, 1, 1))}
    documents = [
        {
            "name": name,
            "atoms": atoms,
            "fractions": [atoms.symbols.count(symbol) / len(atoms) for symbol in CONFIG["species"]],
        }
        for name, atoms in shapes.items()
    ]
    unusable = {"dropped": Dropped.UNUSABLE, "reason": "is cut off"}
    documents.append({"name": "POSCAR-8", "atoms": None, "fractions": [], **unusable})
    store.candidates.add(NAME, documents)
    ids = {candidate["name"]: candidate["_id"] for candidate in store.candidates.find(NAME)}
    changes: dict[str, dict[str, Any]] = {
        name: _passed(energy_eV, finished) for name, (_, energy_eV) in crystals().items()
    }
    changes["fcc 10"] = _passed(-3.6, finished)
    if finished:
        del changes["fcc 10"]["energies.2"]
        changes["fcc 10"] |= _dropped(Dropped.QM_FAILED, "relaxation by quantum mechanics failed: no SCF")
    above = _dropped(Dropped.ABOVE_HULL, "0.1 eV/atom above the hull, 4σ = 0.04")
    changes["fcc 7"] = {"stage": 0, "round": 1, **above, "energies.0": -3.575, "above_hull": 0.1}
    swollen = _dropped(Dropped.NOT_RELAXED, "volume has changed by 60 %")
    changes["fcc 9"] = {"stage": 0, "round": 1, **swollen}
    store.candidates.write((ids[name], fields) for name, fields in changes.items())


def _dropped(why: Dropped, reason: str) -> dict[str, Any]:
    return {"state": CandidateState.DROPPED, "dropped": why, "reason": reason}


def _passed(energy_eV: float, finished: bool) -> dict[str, Any]:
    """A candidate that came through all stages, whose potentials have errors of 5 and 1 meV per atom."""
    if not finished:
        return {"stage": 1, "state": CandidateState.WAITING, "round": 1, "energies.0": energy_eV + 0.005}
    energies = {"energies.0": energy_eV + 0.005, "energies.1": energy_eV + 0.001, "energies.2": energy_eV}
    return {"stage": 2, "state": CandidateState.FINAL, "round": 3, **energies}


def _labels(store: Store, finished: bool) -> None:
    for round_, count in ((0, 2), (1, 1), (2, 3), (4, 2)) if finished else ((0, 2), (1, 1), (2, 3)):
        for number in range(1, count + 1):
            _label(store, fcc("CuCuCuCu"), round_, number)
    if finished:
        for number, (atoms, energy_eV) in enumerate(crystals().values(), start=1):
            _label(store, atoms, 5, number, energy_eV=energy_eV, relaxation=RELAXATION)
        _label(store, fcc("CuPdCuPd", (2, 1, 1)), 5, 7, relaxation=RELAXATION, fails=True)


def _label(
    store: Store,
    atoms: Atoms,
    round_: int,
    number: int,
    *,
    energy_eV: float = -3.5,
    relaxation: dict[str, Any] | None = None,
    fails: bool = False,
) -> None:
    atoms = atoms.copy()
    atoms.rattle(0.01, seed=10 * round_ + number)
    configuration = store.configurations.add(atoms, {"campaign": NAME, "round": round_})
    level = {"code": "emt", "relaxed": relaxation is not None}
    _, stage, kind = ROUNDS[round_]
    label = store.labels.request(
        configuration, level, campaign=NAME, round_=round_, number=number, kind=kind, stage=stage,
        relaxation=relaxation,
    )  # fmt: skip
    claimed = store.labels.claim(label)
    assert claimed is not None
    token = claimed["lease"]["token"]
    if fails:
        store.labels.fail(label, token, "no SCF", wall_time_s=4.0)
        return
    store.labels.finish(
        label, token, energy_eV=energy_eV * len(atoms), forces_eV_A=np.zeros((len(atoms), 3)),
        stress_eV_A3=np.zeros(6), rejections=[], relaxed=atoms if relaxation else None, code="emt",
        code_version="1", wall_time_s=6.0 if relaxation else 0.5,
        details={"evaluations": 10} if relaxation else {},
    )  # fmt: skip


def _rounds(store: Store, finished: bool) -> None:
    def chunk(round_: int, task: ChunkTask, seconds: float, **facts: int) -> None:
        store.chunks.create(NAME, round_, [[]], task=task)
        claimed = store.chunks.claim(NAME, round_, 0)
        assert claimed is not None
        store.chunks.finish(claimed, seconds=seconds, **facts)

    def potential(version: int, round_: int, stage: int, seconds: float) -> None:
        fitted = MomentTensorPotential.random(["Cu", "Pd"], 4, 4.0, seed=version)
        store.potentials.add(
            NAME, version, kind="mtp", content=fitted.to_bytes(), active_set=b"",
            labels=store.labels.done(NAME)[:2],
            errors={"energy_rmse_eV_per_atom": 0.01 / version, "force_rmse_eV_A": 0.1},
            round=round_, stage=stage, loss=1.0, seconds=seconds,
        )  # fmt: skip

    chunk(0, ChunkTask.GATHER, 1.0, found=10)
    chunk(1, ChunkTask.RELAX, 3.0, relaxed=8, paused=0, dropped=1)
    potential(1, 0, 0, 1.0)
    potential(2, 1, 0, 1.5)
    potential(3, 2, 1, 4.0)
    _sift(store, 0, 2, relaxed=8, kept=7)
    if finished:
        chunk(3, ChunkTask.RELAX, 2.0, relaxed=7, paused=0, dropped=0)
        _sift(store, 1, 4, relaxed=7, kept=7)
    else:
        store.chunks.create(NAME, 3, [[], []], task=ChunkTask.RELAX)
        store.events.add(NAME, "divided-3", "divided", 3, chunks=2)
    for round_ in range(6 if finished else 3):
        labels = [label["_id"] for label in store.labels.find(NAME) if label["round"] == round_]
        grades = [1.0, 20.0] if round_ == 1 else []
        phase, stage, _ = ROUNDS[round_]
        store.events.add(
            NAME,
            f"selected-{round_}",
            "selected",
            round_,
            candidates=len(labels),
            labels=labels,
            grades=grades,
            phase=phase,
            stage=stage,
        )


def _sift(store: Store, stage: int, round_: int, **counts: int) -> None:
    facts = {"stage": stage, "sigma_eV": SIGMA_EV[stage], "errors_eV": np.full(3, 0.005)}
    store.events.add(NAME, f"sifted-{round_}", "sifted", round_, **facts, **counts)
