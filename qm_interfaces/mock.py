"""A stand-in for a QM code that fails, hangs, does not converge or lies, on purpose and reproducibly."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from qm_interfaces import options
from qm_interfaces.ase_calculator import ASEInterface
from qm_interfaces.exchange import atoms_to_dict
from qm_interfaces.interface import CodeFailed, NotConverged, QMError, QMResult, SettingsError

CALCULATORS = {
    "emt": "ase.calculators.emt.EMT",
    "lennard-jones": "ase.calculators.lj.LennardJones",
}


class MockInterface:
    """Labels by a classical potential, with accidents.

    The outcome depends only on seed, configuration and attempt. A retry may therefore succeed, and a campaign
    that is run again meets the same accidents. The accidents are not part of the level of theory.

    Parameters
    ----------
    calculator
        "emt" (Al, Ni, Cu, Pd, Ag, Pt, Au) or "lennard-jones" (any species).
    parameters
        Keywords of that ASE calculator, e.g. {sigma: 2.3, epsilon: 0.4, rc: 6.0}.
    fail_probability, hang_probability, unconverged_probability, wrong_probability
        Probability of each accident. Their sum is at most 1.
    """

    name = "mock"

    def __init__(
        self,
        calculator: str = "emt",
        parameters: dict[str, Any] | None = None,
        fail_probability: float = 0.0,
        hang_probability: float = 0.0,
        unconverged_probability: float = 0.0,
        wrong_probability: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.calculator = options.choice("calculator", calculator, CALCULATORS)
        self.inner = ASEInterface(CALCULATORS[calculator], parameters)
        self.seed = options.integer("seed", seed, low=0)
        self.probabilities = {
            "fail": options.number("fail_probability", fail_probability, low=0.0),
            "hang": options.number("hang_probability", hang_probability, low=0.0),
            "unconverged": options.number("unconverged_probability", unconverged_probability, low=0.0),
            "wrong": options.number("wrong_probability", wrong_probability, low=0.0),
        }
        if sum(self.probabilities.values()) > 1.0 + 1e-12:
            total = sum(self.probabilities.values())
            raise SettingsError(
                f"the probabilities of the mock sum to {total:g}: their sum must be at most 1"
            )

    def level_of_theory(self) -> dict[str, Any]:
        return {"code": "mock", "calculator": self.calculator, "parameters": self.inner.parameters}

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        draws = np.random.default_rng(self._entropy(atoms, attempt))
        match self._accident(draws.random()):
            case "fail":
                raise CodeFailed("the mock failed on purpose")
            case "unconverged":
                raise NotConverged("the mock did not converge, on purpose")
            case "hang":
                while True:
                    time.sleep(3600.0)
            case "wrong":
                return _spoil(self._label(atoms, directory), draws)
        return self._label(atoms, directory)

    def obstacles(self, structures: Sequence[Atoms]) -> list[QMError]:
        return self.inner.obstacles(structures)

    def _label(self, atoms: Atoms, directory: Path) -> QMResult:
        return replace(self.inner.compute(atoms, directory), code=f"mock {self.calculator}")

    def _accident(self, draw: float) -> str | None:
        for accident, probability in self.probabilities.items():
            if draw < probability:
                return accident
            draw -= probability
        return None

    def _entropy(self, atoms: Atoms, attempt: int) -> int:
        identity = json.dumps([self.seed, attempt, atoms_to_dict(atoms)])
        return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:16], "big")


def _spoil(result: QMResult, draws: np.random.Generator) -> QMResult:
    """Return a label that is wrong as those of real codes: NaN, an absurd force, or a net force."""
    forces = result.forces_eV_A.copy()
    match draws.integers(3):
        case 0:
            return replace(result, energy_eV=float("nan"))
        case 1:
            forces[draws.integers(len(forces)), 0] += 1000.0
        case 2:
            forces[:, 2] += 1.0
    return replace(result, forces_eV_A=forces)
