"""Screen alloys of EMT metals with alflow, and compare with the hull that brute force finds.

    python benchmarks/cu_pd_brute_force.py --max-atoms 12 --folder cu_pd_12
    python benchmarks/cu_pd_hull.py --max-atoms 12 --brute-force cu_pd_12 --folder screening_12

Both enumerate the same candidates in the same order. It says whether the hulls agree, whether a stage dropped
what lies within 2σ of the true hull, and how many evaluations of EMT each took.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from alflow.states import CandidateState
from alflow.store import Store
from alflow.store.embedded import EmbeddedDatabase
from workflows.launchpad import open_launchpad

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "cu_pd_hull.yaml"
SAME_EV = 1e-4
"""Per atom: relaxations end at small forces, and crystals of equal energy come in several cells."""


def screen(species: list[str], max_atoms: int, folder: Path, workers: int) -> tuple[Path, float]:
    """Run the example's campaign for other candidates; the database's folder, and the wall time, s."""
    campaign = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    campaign |= {"name": "screening", "species": species}
    campaign["candidates"] = [source | {"max_atoms": max_atoms} for source in campaign["candidates"]]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "screening.yaml"
    file.write_text(yaml.safe_dump(campaign), encoding="utf-8")
    began = time.perf_counter()
    subprocess.run(
        ["alflow", "run", file, "-n", str(workers), "--json"], check=True, stdout=subprocess.DEVNULL
    )
    return folder / "runs" / "screening" / "database", time.perf_counter() - began


def number_of(candidate: dict[str, Any]) -> int:
    """Place of a candidate in the enumeration, from 0."""
    return int(candidate["name"].rsplit(" ", 1)[1]) - 1


def hull_report(store: Store, true: dict[str, np.ndarray]) -> Iterator[str]:
    """Whether the hulls are the same: compositions, energies, and crystals among those of the true hull."""
    last = len(store.campaigns.config("screening").stages)
    stable = list(store.candidates.find("screening", state=CandidateState.FINAL, above_hull=0))
    own = {tuple(np.round(c["fractions"], 9)): c for c in stable}
    on_hull = np.flatnonzero(true["distances"] < SAME_EV / 100)
    compositions = {tuple(np.round(row, 9)) for row in true["compositions"][on_hull]}
    yield f"compositions on the hull: {len(own)} here, {len(compositions)} by brute force, " + (
        "the same" if own.keys() == compositions else "DIFFERENT"
    )
    differences = [abs(c["energies"][str(last)] - true["energies"][number_of(c)]) for c in stable]
    yield f"their energies differ by at most {1000 * max(differences):.4f} meV/atom"
    excess = true["distances"][[number_of(c) for c in stable]]
    yield f"their distance to the true hull: at most {1000 * excess.max():.4f} meV/atom"


def retention_report(store: Store, true: dict[str, np.ndarray]) -> Iterator[str]:
    """What each stage dropped of what lies near the true hull.

    Symmetric candidates on a saddle point leave it by rounding errors, to different minima here and there, so
    that a candidate can be lost although its crystal is kept as what another candidate relaxes to.
    """
    for event in store.events.find("screening", "sifted"):
        stage, sigma_eV = event["stage"], event["sigma_eV"]
        kept = [number_of(c) for c in store.candidates.find("screening", stage={"$gt": stage})]
        dropped = [number_of(c) for c in store.candidates.find("screening", stage=stage, state="dropped")]
        near = [n for n in dropped if true["distances"][n] <= 2 * sigma_eV]
        lost = [n for n in near if not is_among(n, kept, true)]
        yield (
            f"stage {stage + 1}: σ = {1000 * sigma_eV:.3f} meV/atom, {event['relaxed']} relaxed, "
            f"{event['kept']} kept; within 2σ of the true hull {len(near)} candidates were dropped and "
            f"{len(lost)} crystals lost"
        )


def is_among(number: int, kept: list[int], true: dict[str, np.ndarray]) -> bool:
    """Whether brute force relaxes one of the kept candidates to the crystal that it relaxes this one to."""
    same = np.abs(true["compositions"][kept] - true["compositions"][number]).max(axis=1) < 1e-9
    return bool((np.abs(true["energies"][kept] - true["energies"][number])[same] < SAME_EV / 10).any())


def cost_report(store: Store, true: dict[str, np.ndarray], wall_s: float) -> Iterator[str]:
    """Evaluations of EMT, and the wall time."""
    labels = store.labels.find("screening")
    evaluations = sum(label["details"].get("evaluations", 1) for label in labels)
    brute = int((true["steps"] + 1).sum())
    yield (
        f"EMT evaluations: {evaluations} here ({len(labels)} labels), {brute} by brute force: "
        f"{brute / evaluations:.0f} times fewer"
    )
    yield f"wall time: {wall_s:.0f} s"


def main() -> None:
    """Screen and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--species", nargs="+", default=["Cu", "Pd"])
    parser.add_argument("--max-atoms", type=int, default=12)
    parser.add_argument("--brute-force", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    database, wall_s = screen(arguments.species, arguments.max_atoms, arguments.folder, arguments.workers)
    true = dict(np.load(arguments.brute_force / "results.npz"))
    with EmbeddedDatabase(database) as uri:
        store = Store(open_launchpad(uri).db)
        for report in (
            hull_report(store, true),
            retention_report(store, true),
            cost_report(store, true, wall_s),
        ):
            for line in report:
                print(line, flush=True)


if __name__ == "__main__":
    main()
