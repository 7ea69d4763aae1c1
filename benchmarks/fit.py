"""Fits of alflow beside motep's on the data of Zuo et al. 2020, refits, threads, memory of a large fit.

    taskset -c 1 python benchmarks/fit.py peers ../shared/data/zuo2020 --elements Mo --peer-seconds 600
    taskset -c 1 python benchmarks/fit.py refit ../shared/data/zuo2020 --levels 8 12 16
    python benchmarks/fit.py threads ../shared/data/zuo2020 --levels 16       # two cores that do nothing else
    python benchmarks/fit.py memory ../shared/data/zuo2020 --atoms 100000

Both programs begin from the same potential and minimise the same loss: with configurations weighted by 1/N,
what alflow minimises is motep's loss per atom. motep solves the linear coefficients first (LLS) and goes on
by SciPy's BFGS. Seconds are CPU seconds of one thread, which do not count what other processes take.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read
from motep.io.mlip.mtp import read_mtp as read_with_motep
from motep.loss import LossFunction, LossSetting
from motep.optimizers import make_optimizer

from alflow.potentials import FitSettings
from alflow.potentials.mtp import MomentTensorPotential, MTPSettings, fit, write_mtp
from alflow.potentials.mtp.fitting import FitResult, LeastSquares

CUTOFFS_A = {"Mo": 5.2, "Si": 5.0}
MIN_DISTANCES_A = {"Mo": 1.9, "Si": 1.6}
CONVERGED = FitSettings(max_iterations=300, tolerance=1e-4)
Trace = list[tuple[float, float]]
"""CPU seconds and the lowest loss until then."""


def begin_of(element: str, level: int) -> MomentTensorPotential:
    """The untrained potential from which both programs start."""
    return MomentTensorPotential.random(
        [element], level, CUTOFFS_A[element], min_distance_A=MIN_DISTANCES_A[element]
    )


def with_alflow(structures: list[Atoms], element: str, level: int) -> Trace:
    """Losses of alflow, which draws the potential of `begin_of` itself."""
    trace: Trace = []
    start = time.process_time()
    fit(
        structures,
        species=[element],
        form=MTPSettings(level=level, cutoff_A=CUTOFFS_A[element], min_distance_A=MIN_DISTANCES_A[element]),
        settings=CONVERGED,
        progress=lambda p: trace.append((time.process_time() - start, p.loss)),
    )
    return trace


class _TimeIsUp(Exception):
    pass


def with_motep(structures: list[Atoms], begin: MomentTensorPotential, seconds: float) -> Trace:
    """Losses of motep within a limit of time."""
    with TemporaryDirectory() as folder:
        write_mtp(Path(folder) / "begin.mtp", begin)
        data = read_with_motep(Path(folder) / "begin.mtp")
    data.species = np.array([Atoms(symbol).numbers[0] for symbol in begin.species])
    weights = LossSetting(
        energy_weight=CONVERGED.energy_weight,
        forces_weight=CONVERGED.force_weight,
        stress_weight=CONVERGED.stress_weight,
        energy_per_conf=False,
        forces_per_conf=False,
        stress_per_conf=False,
    )
    images = [atoms.copy() for atoms in structures]
    for image, atoms in zip(images, structures, strict=True):
        image.calc = SinglePointCalculator(image, **atoms.calc.results)
        image.calc.targets = dict(atoms.calc.results)
    trace: Trace = []
    start = time.process_time()

    class Timed(LossFunction):
        def __call__(self, parameters: object) -> float:
            value = float(super().__call__(parameters))
            trace.append((time.process_time() - start, min(value, trace[-1][1] if trace else np.inf)))
            if trace[-1][0] > seconds:
                raise _TimeIsUp
            return value

    loss = Timed(images, data, weights, engine="cext")
    try:
        make_optimizer("LLS")(loss).optimize()
        make_optimizer("minimize")(loss).optimize(method="BFGS", options={"maxiter": 1_000_000})
    except _TimeIsUp:
        pass
    return trace


def seconds_until(trace: Trace, loss: float) -> float:
    """When the loss was first reached; infinite if never."""
    return next((seconds for seconds, value in trace if value <= loss), np.inf)


def peers(options: argparse.Namespace) -> None:
    """One row a set and level."""
    print(
        "| set | level | alflow's loss | s to within 1 % of it | motep: s given | losses computed | its loss "
        "| alflow's s to that loss | ratio of s to within 1 % | ratio of s to motep's loss |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for element, level, structures in cases(options):
        for atoms in structures:
            atoms.info["weight"] = 1 / len(atoms)
        ours = with_alflow(structures, element, level)
        theirs = with_motep(structures, begin_of(element, level), options.peer_seconds)
        goal = 1.01 * ours[-1][1]
        mine, given, reached = seconds_until(ours, goal), theirs[-1][0], theirs[-1][1]
        peer = seconds_until(theirs, goal)
        same = seconds_until(ours, reached)
        at_least = "" if np.isfinite(peer) else "> "
        print(
            f"| {element} | {level} | {ours[-1][1]:.5f} | {mine:.1f} | {given:.0f} | {len(theirs)} "
            f"| {reached:.5f} | {same:.1f} | {at_least}{min(peer, given) / mine:.1f} | {given / same:.0f} |",
            flush=True,
        )


def timed(work: Callable[[], FitResult]) -> tuple[FitResult, float]:
    """A fit and its CPU seconds, which do not count what other processes take."""
    start = time.process_time()
    return work(), time.process_time() - start


def refit(options: argparse.Namespace) -> None:
    """A fit without five configurations, then with them."""
    print("| set | level | first fit, s | iterations | loss on all | refit, s | iterations | loss | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    settings = FitSettings(max_iterations=300)
    for element, level, structures in cases(options):
        held = set(np.random.default_rng(0).choice(len(structures), 5, replace=False).tolist())
        old = [atoms for i, atoms in enumerate(structures) if i not in held]
        form = partial(
            fit,
            species=[element],
            form=MTPSettings(level=level, cutoff_A=CUTOFFS_A[element]),
            settings=settings,
        )
        first, first_seconds = timed(partial(form, old))
        before = LeastSquares(structures, settings).loss(first.potential)
        again, seconds = timed(partial(form, structures, start=first.potential))
        print(
            f"| {element} | {level} | {first_seconds:.1f} | {first.iterations} | {before:.4f} "
            f"| {seconds:.2f} | {again.iterations} | {again.loss:.4f} | {first_seconds / seconds:.0f} |",
            flush=True,
        )


def threads(options: argparse.Namespace) -> None:
    """Wall time of the normal equations, nearly all of an iteration, with one thread and with two."""
    print("| set | level | one thread, s | two, s | ratio |\n|---|---|---|---|---|")
    for element, level, structures in cases(options):
        potential = begin_of(element, level)
        problems = [LeastSquares(structures, FitSettings(), threads=count) for count in (1, 2)]
        times: list[list[float]] = [[], []]
        for _ in range(7):
            for problem, own in zip(problems, times, strict=True):
                begin = time.perf_counter()
                problem.normal_equations(potential)
                own.append(time.perf_counter() - begin)
        one, two = (float(np.median(own)) for own in times)
        print(f"| {element} | {level} | {one:.2f} | {two:.2f} | {one / two:.2f} |", flush=True)


def memory(options: argparse.Namespace) -> None:
    """Peak memory of two iterations of a fit, in this process alone."""
    print("| atoms | configurations | level | structures and labels, MB | peak during the fit, MB |")
    print("|---|---|---|---|---|")
    structures: list[Atoms] = []
    source = training_set(options, "Mo")
    while sum(map(len, structures)) < options.atoms:
        structures.append(source[len(structures) % len(source)].copy())
        structures[-1].calc = source[(len(structures) - 1) % len(source)].calc
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    settings = FitSettings(max_iterations=2)
    fit(
        structures,
        species=["Mo"],
        form=MTPSettings(level=options.levels[0], cutoff_A=CUTOFFS_A["Mo"]),
        settings=settings,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    atoms = sum(map(len, structures))
    print(f"| {atoms} | {len(structures)} | {options.levels[0]} | {before:.0f} | {peak:.0f} |")


def cases(options: argparse.Namespace) -> Iterator[tuple[str, int, list[Atoms]]]:
    """Element, level and training set of each row."""
    for element in options.elements:
        for level in options.levels:
            yield element, level, training_set(options, element)


def training_set(options: argparse.Namespace, element: str) -> list[Atoms]:
    """All training configurations of an element."""
    structures = read(options.data / f"{element}_train.extxyz", ":")
    assert isinstance(structures, list)
    return structures


def main() -> None:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["peers", "refit", "threads", "memory"])
    parser.add_argument("data", type=Path, help="folder with Mo_train.extxyz, Si_train.extxyz")
    parser.add_argument("--elements", nargs="+", default=list(CUTOFFS_A))
    parser.add_argument("--levels", nargs="+", type=int, default=[16])
    parser.add_argument("--peer-seconds", type=float, default=600.0)
    parser.add_argument("--atoms", type=int, default=100_000)
    options = parser.parse_args()
    {"peers": peers, "refit": refit, "threads": threads, "memory": memory}[options.what](options)


if __name__ == "__main__":
    main()
