"""Verdicts on the structures of a batch that are done."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alflow.simulation.settings import GradeControl, Guards, Relaxation

BatchState = Literal["converged", "unconverged", "paused", "guarded", "interrupted"]

SHORTEST_FRACTION = 1e-3
"""A structure is stuck if this fraction of the proposed step still raises its energy."""

MEASURES = np.dtype(
    [
        (name, float)
        for name in (
            "energy_eV",
            "enthalpy_eV",
            "grade",
            "max_force_eV_A",
            "max_stress_GPa",
            "distance_A",
            "volume_change",
        )
    ]
)
"""Measured values of a structure at one point; the stress is its largest difference from the pressure."""


class Verdict(NamedTuple):
    """Final state of a structure, and the reason if it did not converge."""

    state: BatchState
    reason: str


def verdicts(
    measures: NDArray[np.void],
    steps: NDArray[np.int64],
    fractions: NDArray[np.float64],
    settings: Relaxation,
    control: GradeControl | None,
    guards: Guards,
) -> dict[int, Verdict]:
    """Verdicts on the structures that are done, by their index.

    Parameters
    ----------
    measures : (n,) of MEASURES
        Measured values of each structure.
    steps : (n,)
        Steps done.
    fractions : (n,)
        Fraction of the next proposed step that will be taken.
    settings, control, guards
        Same as in `relax_batch`.
    """
    limits = {
        "gamma_save": control.gamma_save if control else math.inf,
        "gamma_break": control.gamma_break if control else math.inf,
        "min_distance_A": guards.min_distance_A or 0.0,
        "max_volume_change": guards.max_volume_change or math.inf,
        "steps": settings.steps,
    }
    grade = measures["grade"]
    residual = measures["max_force_eV_A"] + measures["max_stress_GPa"]
    minimum = (measures["max_force_eV_A"] <= settings.max_force_eV_A) & (
        measures["max_stress_GPa"] <= settings.max_stress_GPa
    )
    rules: list[tuple[NDArray[np.bool_], BatchState, str]] = [
        (
            ~np.isfinite(measures["energy_eV"] + residual),
            "guarded",
            "energy, forces or stress are not finite numbers",
        ),
        (
            measures["distance_A"] < limits["min_distance_A"],
            "guarded",
            "two atoms are {distance_A:.3f} Å apart, nearer than min_distance_A = {min_distance_A:g}",
        ),
        (
            np.abs(measures["volume_change"]) > limits["max_volume_change"],
            "guarded",
            "the volume has changed by {volume_change:+.0%}, "
            "beyond max_volume_change = {max_volume_change:g}",
        ),
        (
            grade > limits["gamma_break"],
            "paused",
            "the extrapolation grade is {grade:.3g}, above gamma_break = {gamma_break:g}",
        ),
        (
            minimum & (grade > limits["gamma_save"]),
            "paused",
            "the extrapolation grade of the minimum is {grade:.3g}, above gamma_save = {gamma_save:g}",
        ),
        (minimum, "converged", ""),
        (fractions < SHORTEST_FRACTION, "unconverged", "no step lowers the energy any more"),
        (steps >= settings.steps, "unconverged", "all {steps} steps are done"),
    ]
    holds = np.array([mask for mask, _, _ in rules])
    done = np.flatnonzero(holds.any(axis=0))
    found = {}
    for place, rule in zip(done.tolist(), holds[:, done].argmax(axis=0).tolist(), strict=True):
        _, state, text = rules[rule]
        numbers = dict(zip(MEASURES.names or (), measures[place].tolist(), strict=True))
        found[place] = Verdict(state, text and f"step {steps[place]}: {text.format(**limits, **numbers)}")
    return found
