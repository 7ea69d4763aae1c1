"""Fit all parameters of a moment tensor potential to labelled structures.

The loss is that of `alflow.potentials.least_squares`. The Levenberg-Marquardt method with the exact Jacobian
finds linear and radial coefficients together. Only the normal matrix is kept, never the Jacobian of the whole
set, so memory does not grow with the data.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from threadpoolctl import ThreadpoolController

from alflow.errors import InputError
from alflow.potentials.errors import Errors, evaluate_errors
from alflow.potentials.evaluation import evaluate
from alflow.potentials.fit_settings import FitSettings
from alflow.potentials.labels import labels_of
from alflow.potentials.least_squares import predictions, targets_and_weights
from alflow.potentials.mtp.basis import ContractionTables
from alflow.potentials.mtp.core import core_of
from alflow.potentials.mtp.evaluate import jacobian
from alflow.potentials.mtp.potential import MomentTensorPotential
from alflow.potentials.mtp.settings import MTPSettings

DEFAULTS = FitSettings()
ROWS_AT_ONCE = 1500
"""Rows of the Jacobian in memory per thread: large enough for fast matrix products, small enough for the
cache."""


@dataclass(frozen=True)
class FitProgress:
    """The state of a running fit: `start` of `starts`, the iteration, the loss, and the seconds since the
    beginning."""

    start: int
    iteration: int
    loss: float
    seconds: float


@dataclass(frozen=True)
class FitResult:
    """A fitted potential, its errors, and the course of the fit.

    Attributes
    ----------
    potential : MomentTensorPotential
        Potential of the best start.
    train : Errors
        Errors on the structures of the fit.
    test : Errors or None
        Errors on the holdout, if there is one.
    loss : float
        Final loss of the best start.
    iterations : int
        Iterations of the best start.
    seconds : float
        Time of all starts.
    losses : list of float
        Loss after each iteration of the best start.
    """

    potential: MomentTensorPotential
    train: Errors
    test: Errors | None
    loss: float
    iterations: int
    seconds: float
    losses: list[float] = field(default_factory=list)


def fit(
    structures: Sequence[Atoms],
    *,
    species: Sequence[str],
    form: MTPSettings,
    settings: FitSettings = DEFAULTS,
    start: MomentTensorPotential | None = None,
    tables: ContractionTables | None = None,
    threads: int = 1,
    holdout: float = 0.0,
    progress: Callable[[FitProgress], None] | None = None,
) -> FitResult:
    """Fit a potential of the given form.

    Parameters
    ----------
    structures : sequence of ase.Atoms
        Labelled structures: the calculator of each has energy and forces, and stress if it is known.
        `info["weight"]` is the weight of a structure.
    species : sequence of str
        Chemical symbols in the order of the types.
    form : MTPSettings
        Level, cutoff, minimum distance (by default the shortest distance in the data), radial basis.
    settings : FitSettings
        Weights, and settings of the iterations.
    start : MomentTensorPotential, optional
        Potential to start from. Its own form replaces `form`, even if the data have shorter distances: its
        polynomials continue below the minimum distance.
    tables : ContractionTables, optional
        Tables of an untrained potential (`mtp_file.Template`), instead of those of the level.
    threads : int
        Threads of the fit.
    holdout : float
        Fraction of the structures that is excluded from the fit to measure its errors.
    progress : callable, optional
        Called with a `FitProgress` after each iteration.

    Raises
    ------
    InputError
        If there is no structure, a structure has no label, or a species is unknown.
    """
    begin = time.perf_counter()
    train, test = split_holdout(structures, holdout, settings.seed)
    problem = LeastSquares(train, settings, threads)
    if start is not None:
        core = start.core
    else:
        core = None if form.core is None else core_of(form.core, species, train)
    min_distance_A = form.min_distance_A
    if min_distance_A is None and (start is None or settings.starts > 1):
        min_distance_A = _shortest_distance(train, species, form.cutoff_A)
    best: tuple[MomentTensorPotential, list[float]] | None = None
    for number in range(settings.starts):
        if start is not None and number == 0:
            initial = start
        else:
            initial = MomentTensorPotential.random(
                species,
                form.level,
                form.cutoff_A,
                min_distance_A=min_distance_A,
                radial_basis_size=form.radial_basis_size,
                core=core,
                seed=settings.seed + number,
                tables=tables,
            )

        def report(iteration: int, loss: float, number: int = number) -> None:
            if progress is not None:
                progress(FitProgress(number + 1, iteration, loss, time.perf_counter() - begin))

        potential, losses = problem.minimise(initial, report, trained=initial is start)
        if best is None or losses[-1] < best[1][-1]:
            best = potential, losses
    assert best is not None
    potential, losses = best
    return FitResult(
        potential=potential,
        train=evaluate_errors(potential, train, threads=threads),
        test=evaluate_errors(potential, test, threads=threads) if test else None,
        loss=losses[-1],
        iterations=len(losses) - 1,
        seconds=time.perf_counter() - begin,
        losses=losses,
    )


def split_holdout(structures: Sequence[Atoms], fraction: float, seed: int) -> tuple[list[Atoms], list[Atoms]]:
    """Random structures for the fit and for the holdout; at least one for the fit.

    Raises
    ------
    InputError
        If there is no structure at all, or the fraction is not in [0, 1).
    """
    if not structures:
        raise InputError("there is no labelled structure to fit to")
    if not 0 <= fraction < 1:
        raise InputError(f"holdout is {fraction}; it must be at least 0 and below 1")
    order = np.random.default_rng(seed).permutation(len(structures))
    held = set(order[: min(round(fraction * len(structures)), len(structures) - 1)].tolist())
    return (
        [atoms for i, atoms in enumerate(structures) if i not in held],
        [atoms for i, atoms in enumerate(structures) if i in held],
    )


def _shortest_distance(structures: Sequence[Atoms], species: Sequence[str], cutoff_A: float) -> float:
    """Lower end of the Chebyshev interval: a little below the shortest distance of the data, so that the
    interval covers all distances that occur and few others."""
    probe = MomentTensorPotential.random(species, 2, cutoff_A)
    shortest = evaluate(probe, structures, forces=False).min_distances_A.min()
    return float(np.clip(0.98 * shortest, 0.2 * cutoff_A, 0.7 * cutoff_A))


class LeastSquares:
    """The weighted least-squares problem of a set of labelled structures."""

    def __init__(self, structures: Sequence[Atoms], settings: FitSettings, threads: int = 1) -> None:
        labels = [labels_of(atoms) for atoms in structures]
        self._settings = settings
        self._threads = threads
        self._libraries = ThreadpoolController()
        self._chunks = [
            (chunk, *targets_and_weights([labels[i] for i in indices], settings))
            for indices in _chunks([len(atoms) for atoms in structures])
            for chunk in [[structures[i] for i in indices]]
        ]

    def loss(self, potential: MomentTensorPotential) -> float:
        """Sum of squares of the weighted residuals, without the ridge."""
        return float(sum(self._map(lambda chunk: np.sum(self._residuals(potential, *chunk) ** 2))))

    def minimise(
        self, potential: MomentTensorPotential, report: Callable[[int, float], None], *, trained: bool = False
    ) -> tuple[MomentTensorPotential, list[float]]:
        """Levenberg-Marquardt with Nielsen's damping rule (Madsen, Nielsen, Tingleff 2004, algorithm 3.16).

        Only radial coefficients are damped. The linear ones follow them to their optimum, as in variable
        projection, which halves the number of iterations. The linear ones are solved for before the first
        step, unless the potential is trained; a trained potential also ends the iterations earlier
        (`FitSettings.tolerance`).

        Returns
        -------
        potential, losses
            The best potential, and the loss before the first and after each iteration.
        """
        settings = self._settings
        potential, free = self._fix_isolated_atoms(potential)
        theta = potential.parameters if trained else self._solve_linear(potential, free)
        losses = [self.loss(potential.with_parameters(theta))]
        report(0, losses[0])
        negligible_fall = settings.tolerance if trained else settings.tolerance / 10
        damping, growth = 1e-3, 2.0
        for iteration in range(1, settings.max_iterations + 1):
            matrix, gradient = self.normal_equations(potential.with_parameters(theta))
            matrix, gradient = matrix[np.ix_(free, free)], gradient[free]
            scale = matrix.diagonal() + 1e-12 * matrix.diagonal().max()
            trust = np.where(free < potential.radial_coefficients.size, scale, 0.0)
            while damping < 1e10:
                step = _solve_damped(matrix, gradient, settings.ridge * scale + damping * trust)
                trial = theta.copy()
                trial[free] += step
                loss = self.loss(potential.with_parameters(trial))
                predicted = step @ (gradient + damping * trust * step)
                gain = (losses[-1] - loss) / predicted
                if gain > 0:
                    break
                damping, growth = damping * growth, 2 * growth
            else:
                break
            theta = trial
            losses.append(loss)
            report(iteration, loss)
            damping, growth = max(damping * max(1 / 3, float(1 - (2 * gain - 1) ** 3)), 1e-12), 2.0
            if iteration >= 2 and _largest_fall(losses[-3:]) < negligible_fall:
                break
        return potential.with_parameters(theta), losses

    def normal_equations(
        self, potential: MomentTensorPotential
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """JᵀJ (m, m) and Jᵀr (m,) of the weighted residuals r = label − potential."""

        def part(
            chunk: tuple[list[Atoms], NDArray[np.float64], NDArray[np.float64]],
        ) -> tuple[NDArray[np.float64], ...]:
            structures, _, weights = chunk
            weighted = jacobian(potential, structures) * weights
            return weighted @ weighted.T, weighted @ self._residuals(potential, *chunk)

        size = potential.parameter_count
        matrix, gradient = np.zeros((size, size)), np.zeros(size)
        for a, b in self._map(part):
            matrix += a
            gradient += b
        return matrix, gradient

    def _fix_isolated_atoms(
        self, potential: MomentTensorPotential
    ) -> tuple[MomentTensorPotential, NDArray[np.intp]]:
        """The potential with the given energies of isolated atoms, and the parameters that are to be found.

        Without neighbors all basis functions are zero, so that the energy is that of the species.
        """
        given = self._settings.isolated_atoms_eV
        for symbol in given:
            if symbol not in potential.species:
                raise InputError(
                    f"isolated_atoms_eV names {symbol}, but the species are {', '.join(potential.species)}"
                )
        fixed = np.array([symbol in given for symbol in potential.species])
        energies = [
            given.get(symbol, energy)
            for symbol, energy in zip(potential.species, potential.species_energies_eV, strict=True)
        ]
        is_free = np.ones(potential.parameter_count, dtype=bool)
        is_free[potential.radial_coefficients.size :][: len(fixed)] = ~fixed
        return replace(potential, species_energies_eV=np.array(energies)), np.flatnonzero(is_free)

    def _solve_linear(self, potential: MomentTensorPotential, free: NDArray[np.intp]) -> NDArray[np.float64]:
        """The parameters with the best linear coefficients for these radial functions."""
        theta = potential.parameters
        linear = free[free >= potential.radial_coefficients.size]
        matrix, gradient = self.normal_equations(potential)
        block = matrix[np.ix_(linear, linear)]
        scale = block.diagonal() + 1e-12 * block.diagonal().max()
        theta[linear] += _solve_damped(block, gradient[linear], max(self._settings.ridge, 1e-12) * scale)
        return theta

    @staticmethod
    def _residuals(
        potential: MomentTensorPotential,
        structures: list[Atoms],
        targets: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        return weights * (targets - predictions(evaluate(potential, structures)))

    def _map(self, function: Callable[..., Any]) -> Iterator[Any]:
        # BLAS threads would compete with ours for the cores, and keep one core busy while they wait.
        with self._libraries.limit(limits=1, user_api="blas"):
            if self._threads == 1:
                yield from map(function, self._chunks)
            else:
                with ThreadPoolExecutor(self._threads) as pool:
                    yield from pool.map(function, self._chunks)


def _largest_fall(losses: Sequence[float]) -> float:
    """The largest relative fall between successive losses."""
    return max((a - b) / b if b > 0 else 0.0 for a, b in pairwise(losses))


def _chunks(sizes: Sequence[int]) -> Iterator[list[int]]:
    chunk: list[int] = []
    rows = 0
    for i, size in enumerate(sizes):
        if chunk and rows + 3 * size + 7 > ROWS_AT_ONCE:
            yield chunk
            chunk, rows = [], 0
        chunk.append(i)
        rows += 3 * size + 7
    if chunk:
        yield chunk


def _solve_damped(
    matrix: NDArray[np.float64], gradient: NDArray[np.float64], diagonal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve (matrix + diag) x = gradient, scaled to unit diagonal so that very different units do no harm."""
    damped = matrix + np.diag(diagonal)
    scale = 1 / np.sqrt(damped.diagonal())
    scaled = damped * scale * scale[:, None]
    shift = 0.0
    while True:
        try:
            factor = cho_factor(scaled + shift * np.eye(len(scale)))
            return np.asarray(scale * cho_solve(factor, scale * gradient), dtype=np.float64)
        except LinAlgError:
            shift = max(10 * shift, 1e-15)
