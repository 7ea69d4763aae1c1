"""Selection of the structures to label from many extrapolative ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.potentials import Potential, evaluate
from alflow.selection.active_set import ActiveSet
from alflow.selection.fingerprint import Fingerprint, find_duplicate, fingerprint
from alflow.selection.rows import Mode, rows_of

GAMMA_SELECT = 2.1
"""Below this grade a structure is not worth a label (γ_save of MLIP-3)."""
GAMMA_ABSURD = 100.0
"""Ten times MLIP-3's γ_break. Above this grade the potential cannot be trusted at all, nor can the
structure that it led to."""


@dataclass(frozen=True)
class Selection:
    """Outcome of `select`; structures are given by their index among the candidates.

    Attributes
    ----------
    chosen : list of int
        Structures to label, in the order of choice.
    rejected : dict of int to str
        Structures refused whatever their grade, with the reason.
    grades : (n,)
        Grades of the candidates before any choice; NaN for candidates that were refused without a grade.
    final_grades : (n,)
        Grades after the chosen structures are added: candidates still above the threshold were left out
        because `count` was reached.
    """

    chosen: list[int]
    rejected: dict[int, str]
    grades: NDArray[np.float64]
    final_grades: NDArray[np.float64]


def select(
    potential: Potential,
    active_set: ActiveSet,
    candidates: Sequence[Atoms],
    count: int,
    *,
    known: Sequence[Fingerprint] = (),
    min_distance_A: float | None = None,
    gamma_select: float = GAMMA_SELECT,
    gamma_absurd: float = GAMMA_ABSURD,
) -> Selection:
    """Choose at most `count` candidates, each D-optimal given the candidates chosen before it.

    A chosen candidate enters a copy of the active set, which lowers the grades of similar candidates.
    Candidates whose grade falls to `gamma_select` or below are not chosen. The largest grade goes first.
    Candidates above `gamma_absurd` wait until no other is left; then the smallest grade goes first. The
    potential that led to such a structure was far outside its training data, and the mildest structure
    corrects it best.

    Parameters
    ----------
    potential, active_set
        The active set must belong to the potential.
    candidates : sequence of ase.Atoms
        Structures to choose from.
    count : int
        Largest number of candidates to choose.
    known : sequence of Fingerprint
        Fingerprints of structures labelled before. Near-duplicates of them, or of a chosen candidate, are
        refused.
    min_distance_A : float, optional
        Candidates with atoms closer than this are refused.

    Raises
    ------
    InputError
        If the active set belongs to another potential, a candidate has a species that the potential lacks, or
        `count` is negative.
    """
    if count < 0:
        raise InputError(f"the number of structures to select is {count}; it must not be negative")
    active_set.check_belongs_to(potential)
    candidate_rows, rejected = _usable(potential, candidates, active_set.mode, min_distance_A)
    prints = list(known)
    chosen: list[int] = []
    gamma = first_gamma = _grades(active_set, candidate_rows, len(candidates))
    while len(chosen) < count:
        open_gamma = gamma.copy()
        open_gamma[[*chosen, *rejected]] = np.nan
        pick = _next(open_gamma, gamma_select, gamma_absurd)
        if pick is None:
            break
        own_print = fingerprint(candidates[pick])
        twin = find_duplicate(own_print, prints)
        if twin is not None:
            rejected[pick] = (
                f"near-duplicate of known structure {twin}"
                if twin < len(known)
                else f"near-duplicate of candidate {chosen[twin - len(known)]}"
            )
            continue
        prints.append(own_print)
        chosen.append(pick)
        active_set = active_set.add(candidate_rows[pick])
        gamma = _grades(active_set, candidate_rows, len(candidates))
    return Selection(chosen, rejected, first_gamma, gamma)


def _usable(
    potential: Potential, candidates: Sequence[Atoms], mode: Mode, min_distance_A: float | None
) -> tuple[dict[int, NDArray[np.float64]], dict[int, str]]:
    """Rows of the candidates that can be labelled, and the reasons why the others cannot."""
    usable: dict[int, NDArray[np.float64]] = {}
    rejected: dict[int, str] = {}
    for index, atoms in enumerate(candidates):
        _require_species(potential, atoms)
        try:
            evaluation = evaluate(potential, [atoms], forces=False, gradients=True)
        except InputError as error:
            rejected[index] = str(error)
            continue
        nearest_A = float(evaluation.min_distances_A[0])
        if min_distance_A is not None and nearest_A < min_distance_A:
            rejected[index] = (
                f"two atoms are {nearest_A:.3f} Å apart, closer than min_distance_A = {min_distance_A:g}"
            )
        else:
            usable[index] = rows_of(evaluation, mode)
    return usable, rejected


def _require_species(potential: Potential, atoms: Atoms) -> None:
    if missing := sorted(set(atoms.get_chemical_symbols()) - set(potential.species)):
        raise InputError(
            f"the potential has no species {missing[0]}; it was made for {', '.join(potential.species)}"
        )


def _grades(
    active_set: ActiveSet, candidate_rows: dict[int, NDArray[np.float64]], count: int
) -> NDArray[np.float64]:
    """Largest grade among the rows of each candidate, shape (count,); NaN for candidates without rows."""
    gamma = np.full(count, np.nan)
    for index, own_rows in candidate_rows.items():
        gamma[index] = active_set.grades(own_rows).max(initial=0.0)
    return gamma


def _next(gamma: NDArray[np.float64], gamma_select: float, gamma_absurd: float) -> int | None:
    """The candidate to choose next; candidates with grade NaN are never chosen."""
    sane = np.where((gamma > gamma_select) & (gamma <= gamma_absurd), gamma, -np.inf)
    if (sane > -np.inf).any():
        return int(sane.argmax())
    absurd = np.where(gamma > gamma_absurd, gamma, np.nan)
    return None if np.isnan(absurd).all() else int(np.nanargmin(absurd))
