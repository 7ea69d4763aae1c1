"""Any ASE calculator from an allow-list of modules, given by import path and keywords."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from inspect import isfunction
from pathlib import Path
from typing import Any

import ase
import numpy as np
from ase import Atoms

from qm_interfaces import options
from qm_interfaces.interface import CodeFailed, CodeMissing, NotConverged, QMError, QMResult, SettingsError
from qm_interfaces.obstacles import collect
from qm_interfaces.program import read_output

DEFAULT_PREFIXES = ("ase.calculators",)
UNCONVERGED = {
    "ase.calculators.abinit.Abinit": "not enough SCF cycles to converge",
    "ase.calculators.cp2k.CP2K": "SCF run NOT converged",
}
"""Messages of codes that end normally without convergence, which ASE does not notice."""
OUTPUTS = (".out", ".log", ".abo")


class ASEInterface:
    """An ASE calculator.

    Parameters
    ----------
    calculator
        Import path of the class, e.g. "ase.calculators.emt.EMT".
    parameters
        Keywords of the class, as plain values.
    allow
        Module prefixes that are allowed besides ase.calculators. A campaign file, or a database that others
        can write to, must not be able to import arbitrary code.
    stress
        Whether to compute the stress of periodic structures. A calculator without stress gives none.
    unconverged
        Text that the code writes into a file (.out, .log, .abo) if self-consistency was not reached. ABINIT
        and CP2K need no such option.
    """

    name = "ase"

    def __init__(
        self,
        calculator: str,
        parameters: dict[str, Any] | None = None,
        allow: Sequence[str] = (),
        stress: bool = True,
        unconverged: str | None = None,
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
        self.unconverged = (
            UNCONVERGED.get(calculator) if unconverged is None else options.text("unconverged", unconverged)
        )
        self.made: Any = None
        self.prefixes = (*DEFAULT_PREFIXES, *allow)
        self._require_allowed(calculator.rpartition(".")[0])

    def level_of_theory(self) -> dict[str, Any]:
        return {"code": "ase", "calculator": self.calculator, "parameters": self.parameters}

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        with self._own_errors():
            return self._compute(atoms.copy(), directory)

    def obstacles(self, structures: Sequence[Atoms]) -> list[QMError]:
        return collect([self._require_calculator])

    def _require_calculator(self) -> None:
        """Make a calculator, and look for its program if it has one."""
        with self._own_errors():
            calculator = self._load()(**self.parameters)
        command = getattr(getattr(calculator, "profile", None), "command", None)
        words = shlex.split(command) if isinstance(command, str) else list(command or [])
        if words and shutil.which(words[0]) is None:
            raise CodeMissing(
                f"{self.calculator} needs the program {words[0]!r}, which is not on PATH: install it, or "
                "name its command in ASE's configuration file"
            )

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        """Turn errors of ASE and of its calculators into errors of interfaces."""
        from ase.calculators import calculator as errors

        try:
            yield
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
        except Exception as error:
            if "Convergence" in type(error).__name__:  # the code's own error type, such as GPAW's
                raise NotConverged(f"{self.calculator}: {type(error).__name__} {error}".strip()) from error
            raise

    def _compute(self, atoms: Atoms, directory: Path) -> QMResult:
        calculator = self._calculator(directory)
        if hasattr(calculator, "directory"):
            calculator.directory = type(calculator.directory)(directory)  # a Path for some, text for others
        atoms.calc = calculator
        forces = atoms.get_forces()
        if self.unconverged is not None and self.unconverged in read_output(directory, *_outputs(directory)):
            raise NotConverged(f"{self.calculator}: {self.unconverged}")
        energy = calculator.results.get("free_energy", calculator.results.get("energy"))
        return QMResult(
            energy_eV=float(atoms.get_potential_energy() if energy is None else energy),
            forces_eV_A=np.array(forces),
            stress_eV_A3=self._stress(atoms),
            code=self.calculator,
            code_version=_version(calculator),
            computed=getattr(calculator, "atoms", None),
        )

    def _calculator(self, directory: Path) -> Any:
        """The calculator; all steps of a relaxation share one."""
        if self.made is None:
            for name in _outputs(directory):  # of an earlier attempt
                (directory / name).unlink()
            self.made = self._load()(**self.parameters)
        return self.made

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
            raise SettingsError(
                f"option 'calculator' is {self.calculator!r}, but {module_name} has no {class_name}"
            ) from error
        # Functions that make a calculator, such as gpaw.GPAW, are trusted only if `allow` names their module.
        is_class = isinstance(found, type) and hasattr(found, "calculate")
        is_function = isfunction(found) and module_name.split(".")[0] != "ase"
        if not (is_class or is_function):
            raise SettingsError(f"option 'calculator' is {self.calculator!r}, which is not an ASE calculator")
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


def _outputs(directory: Path) -> list[str]:
    return [file.name for file in directory.glob("*") if file.suffix in OUTPUTS]


def _version(calculator: Any) -> str:
    """Versions of ASE and, if ASE knows it, of the code."""
    found = [f"ase {ase.__version__}"]
    package = type(calculator).__module__.partition(".")[0]
    with suppress(PackageNotFoundError):
        found += [f"{package} {version(package)}"] if package != "ase" else []
    if hasattr(getattr(calculator, "profile", None), "version"):
        found.append(f"{calculator.name} {calculator.profile.version()}")
    return ", ".join(found)
