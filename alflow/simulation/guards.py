"""Is this frame fit to go on from?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms

from alflow.simulation.distances import DistanceWatch
from alflow.simulation.settings import Guards


class GuardWatch:
    """Checks frames of one simulation against `Guards` and for numbers that are not finite.

    Parameters
    ----------
    guards
        The limits.
    reference_volume_A3
        Volume that the volume guard compares with.
    """

    def __init__(self, guards: Guards, reference_volume_A3: float) -> None:
        self.guards = guards
        self.reference_volume_A3 = reference_volume_A3
        self._distances = None if guards.min_distance_A is None else DistanceWatch(guards.min_distance_A)

    def unphysical(self, atoms: Atoms, results: Mapping[str, Any]) -> str | None:
        """Why the frame must not even be looked at again: not finite, or atoms too near; None if it is sound.

        `results["min_distance_A"]`, where the calculator gives it, saves the search.
        """
        arrays = (atoms.positions, atoms.cell.array, results["forces"])
        numbers = (results["energy"], results.get("extrapolation_grade", 0.0))
        if not (all(np.isfinite(array).all() for array in arrays) and all(math.isfinite(x) for x in numbers)):
            return "energy, forces, positions or grade are not finite numbers"
        if self._distances is None:
            return None
        limit = self._distances.limit_A
        nearest = results.get("min_distance_A")
        if nearest is None:
            nearest = self._distances.violation(atoms)
        if nearest is not None and nearest < limit:
            return f"two atoms are {nearest:.3f} Å apart, nearer than min_distance_A = {limit:g}"
        return None

    def excess(self, volume_A3: float, temperature_K: float = 0.0) -> str | None:
        """Which limit of temperature or volume the frame exceeds, if any."""
        limit = self.guards.max_temperature_K
        if limit is not None and not temperature_K <= limit:
            return f"the temperature is {temperature_K:.0f} K, above max_temperature_K = {limit:g}"
        limit = self.guards.max_volume_change
        if limit is not None and self.reference_volume_A3 > 0:
            change = volume_A3 / self.reference_volume_A3 - 1
            if not abs(change) <= limit:
                return f"the volume has changed by {change:+.0%}, beyond max_volume_change = {limit:g}"
        return None
