"""Explorers relax, neb and script from no training data, beside the same computed by EMT directly.

    python benchmarks/explorers.py relax --folder relax       200 slabs and crystals of EMT metals
    python benchmarks/explorers.py neb --folder neb           a vacancy in copper and in aluminium
    python benchmarks/explorers.py script --folder script     hybrid Monte Carlo, examples/scripts

EMT labels the campaigns; the direct computation counts its force calls. With --direct only that is done.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ase import Atoms, units
from ase.build import bulk, fcc100, fcc110, fcc111
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.io import write
from ase.optimize import LBFGS

from alflow.explorers import neb
from alflow.simulation import CandidateFrames, GradeControl
from alflow.store import Store
from alflow.store.embedded import EmbeddedDatabase
from workflows.launchpad import open_launchpad

ALFLOW = (sys.executable, "-c", "from alflow.cli import main; main()")
SCRIPTS = Path(__file__).resolve().parents[1] / "examples" / "scripts"
MAX_FORCE_EV_A, MAX_STRESS_GPA = 0.005, 0.05
LATTICE_A = {"Al": 4.0, "Cu": 3.6, "Ag": 4.06, "Au": 4.06, "Ni": 3.49, "Pd": 3.88, "Pt": 3.92}
HMC = {"temperature_K": 600.0, "moves": 400, "steps": 20, "timestep_fs": 5.0}


class CountingEMT(EMT):
    """EMT that counts its evaluations, with the grade that explorers ask for."""

    calls = 0

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = (), system_changes: Sequence[str] = ()
    ) -> None:
        CountingEMT.calls += 1
        super().calculate(atoms, list(properties), list(system_changes))
        self.results["extrapolation_grade"] = 1.0


class DirectHost:
    """A host of a computation without learning."""

    version, pass_number = 1, 0

    def __init__(self) -> None:
        self.control = GradeControl()
        self.frames = CandidateFrames(1)

    def save_frame(self, atoms: Atoms, extrapolation_grade: float, step: int) -> None: ...

    def save_progress(self, checkpoint: Any, *, step: int, history: Any) -> None: ...

    def show_progress(self, step: int) -> None: ...

    def stop_requested(self) -> bool:
        return False


def campaign(
    name: str, species: Sequence[str], structures: Any, explorers: Any, **sections: Any
) -> dict[str, Any]:
    """A campaign that EMT labels."""
    return {
        "name": name,
        "species": list(species),
        "structures": structures,
        "potential": {"level": 16, "cutoff_A": 5.5},
        "explorers": explorers,
        "qm": {"interface": "mock", "options": {"calculator": "emt"}, "timeout_s": 60},
        "stop": {"max_rounds": 200},
    } | sections


def run(
    folder: Path, content: dict[str, Any], workers: int
) -> tuple[dict[str, Any], list[list[Atoms]], float]:
    """Run a campaign to its end: what status says, the structures of each run, and the wall time, s."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{content['name']}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    paths = os.pathsep.join([str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    began = time.perf_counter()
    done = subprocess.run(
        [*ALFLOW, "run", file, "-n", str(workers), "--json"],
        env=os.environ | {"PYTHONPATH": paths},
        check=True,
        stdout=subprocess.PIPE,
    )
    wall_s = time.perf_counter() - began
    status: dict[str, Any] = json.loads(done.stdout)
    with EmbeddedDatabase(folder / "runs" / file.stem / "database") as uri:
        store = Store(open_launchpad(uri).db)
        runs = store.explorers.all(content["name"])
        structures = [store.explorers.structures(content["name"], entry["index"]) for entry in runs]
    return status, structures, wall_s


def summary(status: dict[str, Any], direct_calls: int, wall_s: float) -> str:
    """What it took."""
    labels = status["labels"]["done"]
    return (
        f"{status['state']} ({status['reason']}) after {status['round']} rounds, {wall_s:.0f} s; "
        f"QM calls {labels}, direct {direct_calls}: {direct_calls / labels:.1f} times fewer"
    )


def crystals(species: Sequence[str], count: int, random: np.random.Generator) -> list[Atoms]:
    """Strained and displaced cells of 1 to 8 atoms on fcc sites, pure and random alloys."""
    found = []
    while len(found) < count:
        pair = random.choice(species, 2)
        a_A = float(np.mean([LATTICE_A[symbol] for symbol in pair]))
        atoms = bulk("Cu", "fcc", a=a_A, cubic=bool(random.integers(2)))
        atoms = atoms * [(1, 1, 1), (2, 1, 1), (1, 1, 2)][random.integers(3)]
        atoms.symbols = random.choice(pair, len(atoms))
        strain = random.normal(scale=0.015, size=(3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
        atoms.positions += random.normal(scale=0.05, size=atoms.positions.shape)
        found.append(atoms)
    return found


def slabs(species: Sequence[str], count: int, random: np.random.Generator) -> list[Atoms]:
    """Surfaces (100), (110) and (111) of 3 to 5 layers, pure and with a substituted atom, displaced."""
    found = []
    while len(found) < count:
        host, guest = random.choice(species, 2)
        surface = [fcc100, fcc110, fcc111][random.integers(3)]
        size = (*random.integers(1, 3, 2).tolist(), int(random.integers(3, 6)))
        atoms = surface(str(host), size, a=LATTICE_A[str(host)], vacuum=6.0, periodic=True)
        atoms.symbols[int(random.integers(len(atoms)))] = str(guest)
        atoms.positions += random.normal(scale=0.05, size=atoms.positions.shape)
        found.append(atoms)
    return found


def relaxed_directly(atoms: Atoms, cell: bool) -> float:
    """Energy of the minimum by EMT, eV per atom."""
    atoms = atoms.copy()
    atoms.set_constraint()
    atoms.calc = CountingEMT()
    target = FrechetCellFilter(atoms) if cell else atoms
    for _ in LBFGS(target, logfile=None).irun(fmax=0.0, steps=500):
        force = np.linalg.norm(atoms.get_forces(), axis=1).max()
        if force <= MAX_FORCE_EV_A and not (
            cell and np.abs(atoms.get_stress()).max() / units.GPa > MAX_STRESS_GPA
        ):
            break
    return float(atoms.get_potential_energy() / len(atoms))


def benchmark_relax(arguments: argparse.Namespace) -> None:
    """Energies of minima, crystals with their cells and slabs in theirs."""
    random = np.random.default_rng(arguments.seed)
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    half = arguments.count // 2
    sets = {
        "crystals": crystals(arguments.species, arguments.count - half, random),
        "slabs": slabs(arguments.species, half, random),
    }
    direct = {name: [relaxed_directly(a, name == "crystals") for a in found] for name, found in sets.items()}
    print(f"direct: {arguments.count} minima, {CountingEMT.calls} force calls")
    if arguments.direct:
        return
    explorers = []
    for name, found in sets.items():
        bare = [Atoms(a.numbers, positions=a.positions, cell=a.cell, pbc=a.pbc) for a in found]
        write(folder / f"{name}.extxyz", bare)
        relaxation = {"max_force_eV_A": MAX_FORCE_EV_A, "max_stress_GPa": MAX_STRESS_GPA}
        explorers.append(
            {
                "name": name,
                "kind": "relax",
                "files": f"{name}.extxyz",
                "cell": name == "crystals",
                "relaxation": relaxation,
            }
        )
    qm = {"interface": "mock", "options": {"calculator": "emt"}, "timeout_s": 60}
    content = campaign(
        "relax",
        arguments.species,
        [],
        explorers,
        qm=qm | {"limits": {"volume_outlier_score": 100.0, "energy_outlier_score": 1000.0}},
        selection={"labels_per_round": arguments.labels_per_round},
        initial={"count": 20},
    )
    content["potential"]["level"] = arguments.level
    status, structures, wall_s = run(folder, content, arguments.workers)
    print(summary(status, CountingEMT.calls, wall_s))
    names = [name for name, found in sets.items() for _ in range((len(found) + 99) // 100)]
    for kind in sets:
        known = [a for name, part in zip(names, structures, strict=True) if name == kind for a in part]
        pairs = [
            (atoms, energy)
            for atoms, energy in zip(known, direct[kind], strict=True)
            if atoms.info["state"] == "converged"
        ]
        off = np.array([deviation_meV(atoms, energy) for atoms, energy in pairs])
        # A minimiser may fall to either side of a saddle point: is it a minimum of EMT at all?
        far = [atoms for (atoms, _), deviation in zip(pairs, off, strict=True) if deviation >= 1]
        minima = [deviation_meV(atoms, relaxed_directly(atoms, kind == "crystals")) for atoms in far]
        print(
            f"{kind}: {len(off)} of {len(known)} converged, {np.count_nonzero(off < 1)} within 1 meV/atom "
            f"of EMT, {np.count_nonzero(np.array(minima) < 1)} more in another minimum of "
            f"EMT; median {np.median(off):.3f}, largest {off.max():.2f} meV/atom"
        )


def deviation_meV(atoms: Atoms, energy_eV: float) -> float:
    """Deviation of a relaxed structure's energy from this one, per atom."""
    return 1000 * abs(float(atoms.info["energy_eV"]) / len(atoms) - energy_eV)


def benchmark_neb(arguments: argparse.Namespace) -> None:
    """Barriers of a vacancy."""
    for symbol, a_A in (("Cu", 3.59), ("Al", 3.995)):
        build = {"element": symbol, "crystal": "fcc", "a_A": a_A, "cubic": True, "repeat": [3, 3, 3]}
        entry = {"name": "hop", "kind": "neb", "vacancy": {"structure": "fcc"}, "images": 5}
        crystal = bulk(symbol, "fcc", a=a_A, cubic=True) * (3, 3, 3)
        settings = neb.NebExplorerSettings(
            name="hop", vacancy=neb.Vacancy(structure="fcc"), images=5, max_force_eV_A=0.02
        )
        (direct,) = neb.EXPLORER.runs(settings, {"fcc": crystal}, [symbol])
        CountingEMT.calls = 0
        outcome = neb.EXPLORER.run(direct.settings, direct.start, None, CountingEMT(), DirectHost())  # type: ignore[arg-type]
        true_eV = outcome.results["barrier_forward_eV"]
        print(f"{symbol}: EMT {true_eV:.4f} eV with {CountingEMT.calls} force calls")
        if arguments.direct:
            continue
        content = campaign(
            f"vacancy-{symbol}",
            [symbol],
            [{"name": "fcc", "build": build}],
            [entry],
            initial={"count": 4},
            selection={"gamma_save": arguments.gamma_save},
        )
        status, _, wall_s = run(arguments.folder, content, arguments.workers)
        own_eV = status["explorers"][0]["results"]["barrier_forward_eV"]
        print(summary(status, CountingEMT.calls, wall_s))
        print(f"{symbol}: alflow {own_eV:.4f} eV, {1000 * (own_eV - true_eV):+.1f} meV")


def sampled(parameters: dict[str, Any]) -> dict[str, Any]:
    """Hybrid Monte Carlo with EMT."""
    sys.path.insert(0, str(SCRIPTS))
    from hybrid_monte_carlo import sample  # type: ignore[import-not-found]

    atoms = bulk("Cu", "fcc", a=3.62, cubic=True) * (2, 2, 2)
    atoms.calc = CountingEMT()
    results: dict[str, Any] = sample(atoms, atoms.calc, ScriptHost(), seed=100, checkpoint=None, **parameters)
    return results


class ScriptHost:
    """What the script asks of its host."""

    def save_progress(self, checkpoint: Any) -> None: ...


def benchmark_script(arguments: argparse.Namespace) -> None:
    """Mean potential energy at 600 K."""
    true = sampled(HMC)
    facts = f"{true['mean_energy_eV']:.3f} eV, acceptance {true['acceptance']:.2f}"
    print(f"EMT: {facts}, {CountingEMT.calls} force calls")
    if arguments.direct:
        return
    build = {"element": "Cu", "crystal": "fcc", "a_A": 3.62, "cubic": True, "repeat": [2, 2, 2]}
    entry = {
        "name": "hmc",
        "kind": "script",
        "function": "hybrid_monte_carlo:sample",
        "allow": ["hybrid_monte_carlo"],
        "structure": "fcc",
        "parameters": HMC,
    }
    content = campaign("hmc", ["Cu"], [{"name": "fcc", "build": build}], [entry])
    status, _, wall_s = run(arguments.folder, content, arguments.workers)
    own = status["explorers"][0]["results"]
    print(summary(status, CountingEMT.calls, wall_s))
    off = 1000 * (own["mean_energy_eV"] - true["mean_energy_eV"]) / 32
    print(f"alflow: {own['mean_energy_eV']:.3f} eV ({off:+.2f} meV/atom), acceptance {own['acceptance']:.2f}")


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds: dict[str, Callable[[argparse.Namespace], None]] = {
        "relax": benchmark_relax,
        "neb": benchmark_neb,
        "script": benchmark_script,
    }
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--direct", action="store_true", help="only the direct computation")
    parser.add_argument("--species", nargs="+", default=["Cu", "Ag"], help="relax: metals")
    parser.add_argument("--count", type=int, default=200, help="relax: structures")
    parser.add_argument("--level", type=int, default=16, help="relax: of the potential")
    parser.add_argument("--labels-per-round", type=int, default=20, help="relax")
    parser.add_argument("--gamma-save", type=float, default=1.1, help="neb: largest grade of a path")
    parser.add_argument("--seed", type=int, default=0, help="relax: of the structures")
    arguments = parser.parse_args()
    kinds[arguments.kind](arguments)


if __name__ == "__main__":
    main()
