"""Any ASE calculator, by import path and keywords, from an allow-list of modules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import ase
import numpy as np
from ase import Atoms

from qm_interfaces import options
from qm_interfaces.interface import CodeFailed, CodeMissing, NotConverged, QMResult, SettingsError

DEFAULT_PREFIXES = ("ase.calculators",)


class ASEInterface:
    """An ASE calculator.

    Parameters
    ----------
    calculator
        Import path of its class, e.g. "ase.calculators.emt.EMT".
    parameters
        Its keywords; plain values.
    allow
        Module prefixes allowed besides ase.calculators: a campaign file, or a database that others can write
        to, must not be able to import just anything.
    stress
        Whether to ask for the stress of periodic structures; calculators without one give none.
    """

    name = "ase"

    def __init__(
        self,
        calculator: str,
        parameters: dict[str, Any] | None = None,
        allow: Sequence[str] = (),
        stress: bool = True,
    ) -> None:
        if not isinstance(calculator, str) or "." not in calculator:
            raise SettingsError(
                f"option 'calculator' is {calculator!r}: it must be an import path (package.module.Class)"
            )
        if isinstance(allow, str) or not all(isinstance(prefix, str) for prefix in allow):
            raise SettingsError(f"option 'allow' is {allow!r}: it must be a list of module prefixes")
        self.calculator = calculator
        self.parameters = options.mapping("parameters", parameters or {})
        self.stress = options.flag("stress", stress)
        self.prefixes = (*DEFAULT_PREFIXES, *allow)
        self._require_allowed(calculator.rpartition(".")[0])

    def level_of_theory(self) -> dict[str, Any]:
        return {"code": "ase", "calculator": self.calculator, "parameters": self.parameters}

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        from ase.calculators import calculator as errors

        try:
            return self._compute(atoms.copy(), directory)
        except errors.BadConfiguration as error:
            raise CodeMissing(f"{self.calculator}: {error}") from error
        except (errors.CalculatorSetupError, errors.InputError) as error:
            raise SettingsError(f"{self.calculator}: {error}") from error
        except errors.SCFError as error:
            raise NotConverged(
                f"{self.calculator}: {error or 'self-consistency did not converge'}"
            ) from error
        except errors.CalculatorError as error:
            raise CodeFailed(f"{self.calculator}: {error}") from error

    def _compute(self, atoms: Atoms, directory: Path) -> QMResult:
        calculator = self._made
        if hasattr(calculator, "directory"):
            calculator.directory = str(directory)
        atoms.calc = calculator
        forces = atoms.get_forces()
        energy = calculator.results.get("free_energy", calculator.results.get("energy"))
        return QMResult(
            energy_eV=float(atoms.get_potential_energy() if energy is None else energy),
            forces_eV_A=np.array(forces),
            stress_eV_A3=self._stress(atoms),
            code=self.calculator,
            code_version=f"ase {ase.__version__}",
            computed=getattr(calculator, "atoms", None),
        )

    @cached_property
    def _made(self) -> Any:
        """One for all steps of a relaxation."""
        return self._load()(**self.parameters)

    def _stress(self, atoms: Atoms) -> np.ndarray | None:
        from ase.calculators.calculator import PropertyNotImplementedError

        if not (self.stress and atoms.pbc.all()):
            return None
        try:
            return np.array(atoms.get_stress(voigt=True))
        except PropertyNotImplementedError:
            return None

    def _load(self) -> Any:
        module_name, _, class_name = self.calculator.rpartition(".")
        try:
            found = getattr(import_module(module_name), class_name)
        except ImportError as error:
            raise CodeMissing(
                f"option 'calculator' is {self.calculator!r}, and importing it fails: {error}"
            ) from error
        except AttributeError as error:
            raise SettingsError(f"option 'calculator': {module_name} has no {class_name}") from error
        if not isinstance(found, type) or not hasattr(found, "calculate"):
            raise SettingsError(f"option 'calculator' is {self.calculator!r}, which is no ASE calculator")
        self._require_allowed(found.__module__)
        return found

    def _require_allowed(self, module: str) -> None:
        if not any(
            module == prefix.rstrip(".") or module.startswith(prefix.rstrip(".") + ".")
            for prefix in self.prefixes
        ):
            raise SettingsError(
                f"option 'calculator' is {self.calculator!r}, but only classes from "
                f"{', '.join(self.prefixes)} are allowed; name its module in option 'allow'"
            )
