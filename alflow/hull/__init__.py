"""Convex-hull screening: candidate crystals, the hull, and what to keep near it."""

from __future__ import annotations

from alflow.hull.candidates import Candidate, Derivative, Files, Prototypes, RandomCrystals, candidates
from alflow.hull.convex_hull import element_energies, formation_energies, hull_distances
from alflow.hull.derivative import PARENTS
from alflow.hull.retention import reason_to_drop, retained, sigma_of

__all__ = [
    "PARENTS",
    "Candidate",
    "Derivative",
    "Files",
    "Prototypes",
    "RandomCrystals",
    "candidates",
    "element_energies",
    "formation_energies",
    "hull_distances",
    "reason_to_drop",
    "retained",
    "sigma_of",
]
