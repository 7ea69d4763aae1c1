"""Explorer kind `script`: any user function, with a calculator that pauses it in time."""

from __future__ import annotations

import inspect
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Literal

import numpy as np
from ase import Atoms
from pydantic import Field

from alflow.errors import InputError
from alflow.explorers.protocol import (
    Column,
    ExplorerSettings,
    Host,
    Outcome,
    OutcomeState,
    Run,
    Trajectory,
)
from alflow.potentials import PotentialCalculator
from alflow.settings import Name, Section
from alflow.simulation.graded_calculator import GradedCalculator, GradeSession
from alflow.simulation.settings import GradeControl, Guards

PASS_SEED_STEP = 1_000_003  # passes over the same run differ in their seeds by this
STORED_EVERY_S = 5.0  # a script may save more often, but not every save is stored
OFFERED = ("seed", "checkpoint")
"""Keywords passed to a function that accepts them."""


class ScriptExplorerSettings(ExplorerSettings):
    """A function ``function(atoms, calculator, host, **parameters)`` of an importable module."""

    kind: Literal["script"] = Field(default="script", description="a user function")
    function: str = Field(description="the function, as module:function")
    allow: list[str] = Field(
        default=[],
        description="modules, or packages with all their modules, from which `function` may come: a campaign "
        "file must not import arbitrary modules",
    )
    structure: Name | list[Name] = Field(description="starting structure, or several")
    parameters: dict[str, Any] = Field(default={}, description="keywords of the function; plain values")
    replicas: int = Field(default=1, ge=1, le=1000, description="runs that differ in their seed only")
    seed: int = Field(
        default=0, ge=0, le=10**15, description="seed of the first replica, which the function gets as `seed`"
    )
    guards: Guards = Field(default=Guards(), description="limits at which the run pauses whatever its grade")
    trajectory_every: int | None = Field(
        default=None,
        ge=1,
        description="evaluations between frames of the trajectory that is kept; default: none is kept",
    )

    def structure_names(self) -> list[str]:
        return _as_list(self.structure)


class ScriptRunSettings(Section):
    """One call of the function."""

    structure: str
    function: str
    allow: list[str]
    parameters: dict[str, Any]
    seed: int
    guards: Guards


class ScriptHost:
    """Services for a script, in addition to structure and calculator.

    Attributes
    ----------
    control
        Thresholds of the grade.
    version
        Version of the potential; it grows with every refit.
    checkpoint
        Last checkpoint that the script saved, in this call or an earlier one; None if there is none.
    """

    def __init__(self, host: Host, session: GradeSession, checkpoint: Any) -> None:
        self.control: GradeControl = host.control
        self.version: int = host.version
        self.checkpoint = checkpoint
        self._host = host
        self._session = session
        self._stored = time.monotonic()

    def save_progress(self, checkpoint: Any) -> None:
        """Store a state to resume from: nested dicts and lists of arrays and plain values.

        The next call of the script gets it as `checkpoint`. States after a pause are not stored: a script
        that ignores the pause resumes from a state before it.
        """
        if self._session.pause:
            return
        self.checkpoint = checkpoint
        if time.monotonic() - self._stored > STORED_EVERY_S:
            self.store()

    def store(self) -> None:
        """Store the state of the run."""
        self._stored = time.monotonic()
        evaluations = self._session.evaluations
        self._host.save_progress(
            {"script": self.checkpoint, "evaluations": evaluations},
            step=evaluations,
            history=self._session.table(),
        )

    def save_frame(self, atoms: Atoms, extrapolation_grade: float) -> None:
        """Keep a structure as a candidate for a label; structures above γ_save are kept automatically."""
        self._host.save_frame(atoms, extrapolation_grade, self._session.evaluations)

    def stop_requested(self) -> bool:
        """Whether the script should end soon; if it does not, the calculator ends it."""
        return self._host.stop_requested()


class ScriptExplorer:
    """A user's function under grade control."""

    Settings = ScriptExplorerSettings
    RunSettings = ScriptRunSettings
    columns = (Column("energy_eV", "potential energy (eV)"),)
    follows_potential = False
    changeable = ("guards", "allow")

    def goes_on(self, old: ScriptRunSettings, new: ScriptRunSettings) -> bool:
        """A finished run stays finished."""
        return False

    def progress(self, settings: ScriptRunSettings, step: int) -> tuple[float, str]:
        """Evaluations of the potential."""
        return float(step), "evaluations"

    def check(self, settings: ScriptExplorerSettings) -> None:
        """Check that the function is allowed, can be imported and accepts the parameters."""
        function = load_function(settings.function, settings.allow)
        _require_plain(f"`parameters` of explorer {settings.name!r}", settings.parameters)
        try:
            inspect.signature(function).bind(
                None, None, None, **_keywords(function, settings.parameters, 0, None)
            )
        except TypeError as error:
            raise InputError(
                f"`parameters` of explorer {settings.name!r} do not fit {settings.function}: {error}"
            ) from None

    def runs(
        self, settings: ScriptExplorerSettings, structures: Mapping[str, Atoms], species: Sequence[str]
    ) -> list[Run]:
        """One run per structure and replica."""
        names = settings.structure_names()
        runs = []
        for structure, replica in itertools.product(names, range(settings.replicas)):
            parts = [settings.name]
            parts += [structure] if len(names) > 1 else []
            parts += [str(replica + 1)] if settings.replicas > 1 else []
            plan = ScriptRunSettings(
                structure=structure,
                function=settings.function,
                allow=settings.allow,
                parameters=settings.parameters,
                seed=settings.seed + replica,
                guards=settings.guards,
            )
            every = settings.trajectory_every
            trajectory = None if every is None else Trajectory(every)
            runs.append(Run("-".join(parts), plan, [structures[structure]], None, trajectory))
        return runs

    def run(
        self,
        settings: ScriptRunSettings,
        start: Sequence[Atoms],
        checkpoint: Mapping[str, Any] | None,
        calculator: PotentialCalculator,
        host: Host,
    ) -> Outcome:
        """Call the function, with its last checkpoint if it has saved one."""
        function = load_function(settings.function, settings.allow)
        stored = checkpoint or {"script": None, "evaluations": 0}
        session = GradeSession(
            calculator,
            control=host.control,
            guards=settings.guards,
            frames=host.frames,
            volume_per_atom_A3=float(start[0].cell.volume) / len(start[0]),
            evaluations=stored["evaluations"],
            stop_requested=host.stop_requested,
            on_progress=host.show_progress,
            visit=host.visit,
        )
        script_host = ScriptHost(host, session, stored["script"])
        seed = settings.seed + host.pass_number * PASS_SEED_STEP
        keywords = _keywords(function, settings.parameters, seed, script_host.checkpoint)
        atoms = start[0].copy()
        graded = GradedCalculator(session)
        atoms.calc = graded
        returned = None
        try:
            returned = function(atoms, graded, script_host, **keywords)
        except Exception:
            if not session.pause:  # after a pause, the program's own exception does not count
                raise
        script_host.store()
        if session.pause:
            return Outcome(OutcomeState.PAUSED, session.pause)
        results, structures = _results(settings.function, returned)
        return Outcome(OutcomeState.FINISHED, results=results, structures=structures)


def load_function(path: str, allow: Sequence[str]) -> Callable[..., Any]:
    """Import the function at a path ``module:function``.

    Raises
    ------
    InputError
        If its module is not allowed, cannot be imported or has no such function.
    """
    module_name, _, name = path.partition(":")
    if not module_name or not name.isidentifier():
        raise InputError(f"`function` is {path!r}, but it is written module:function")
    if not any(module_name == prefix or module_name.startswith(f"{prefix}.") for prefix in allow):
        allowed = f"only modules of {', '.join(allow)} are" if allow else "no module is"
        raise InputError(
            f"`function` is {path!r}, but {allowed} allowed; name {module_name} in `allow` of the explorer"
        )
    try:
        found = getattr(import_module(module_name), name)
    except ImportError as error:
        raise InputError(
            f"`function` is {path!r}, but importing {module_name} fails: {error}; "
            "its folder must be on PYTHONPATH"
        ) from None
    except AttributeError:
        raise InputError(f"`function` is {path!r}, but {module_name} has no {name}") from None
    if not callable(found):
        raise InputError(f"`function` is {path!r}, which cannot be called")
    return found  # type: ignore[no-any-return]


def _keywords(
    function: Callable[..., Any], parameters: Mapping[str, Any], seed: int, checkpoint: Any
) -> dict[str, Any]:
    """Keywords of the call: the parameters, and seed and checkpoint if the function accepts them."""
    taken = inspect.signature(function).parameters
    offered = {"seed": seed, "checkpoint": checkpoint}
    return {name: offered[name] for name in OFFERED if name in taken} | dict(parameters)


def _results(path: str, returned: Any) -> tuple[dict[str, Any], list[Atoms]]:
    """Split the returned dict of a function into plain values and structures."""
    if returned is None:
        return {}, []
    if not isinstance(returned, dict):
        raise InputError(
            f"{path} returned a {type(returned).__name__}, but it must return a dict of plain values, "
            "or nothing"
        )
    values = dict(returned)
    structures = values.pop("structures", [])
    if not (isinstance(structures, list) and all(isinstance(atoms, Atoms) for atoms in structures)):
        raise InputError(f"{path} returned `structures` that are no list of Atoms")
    return {
        key: _require_plain(f"{path} returned {key!r}, which", value) for key, value in values.items()
    }, structures


def _require_plain(what: str, value: Any) -> Any:
    """The value with NumPy numbers converted to Python numbers."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_require_plain(what, item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _require_plain(what, item) for key, item in value.items()}
    raise InputError(
        f"{what} has a value of type {type(value).__name__}; plain values are numbers, text, lists and dicts "
        "of them"
    )


def _as_list(value: str | list[str]) -> list[str]:
    return list(value) if isinstance(value, list) else [value]


EXPLORER = ScriptExplorer()
