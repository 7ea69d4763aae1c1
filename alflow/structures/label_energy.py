"""One rule for which energy is a label, for all that reads or writes structures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def label_energy(results: Mapping[str, Any]) -> float | None:
    """The energy whose negative gradient the forces are, eV; None if there is no energy.

    That is the free energy of the electrons where it is known, and `energy` elsewhere. ASE's `energy` of a
    calculation with smearing is an extrapolation to zero width, which the forces do not belong to.

    Parameters
    ----------
    results
        Results of a calculator by ASE's names.
    """
    energy = results.get("free_energy")
    if energy is None:
        energy = results.get("energy")
    return None if energy is None else float(energy)
