"""QM interfaces by name: those of this package, and those that other installed packages offer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from qm_interfaces.interface import QMInterface, SettingsError

GROUP = "alflow.qm_interfaces"
"""Entry point group by which another package adds an interface; the entry point's name is the interface's."""

OWN = {
    name: EntryPoint(name, value, GROUP)
    for name, value in {
        "ase": "qm_interfaces.ase_calculator:ASEInterface",
        "espresso": "qm_interfaces.espresso:EspressoInterface",
        "gaussian": "qm_interfaces.gaussian:GaussianInterface",
        "mock": "qm_interfaces.mock:MockInterface",
        "orbital-free": "qm_interfaces.orbital_free:OrbitalFreeInterface",
        "pyscf": "qm_interfaces.pyscf_code:PySCFInterface",
        "vasp": "qm_interfaces.vasp:VaspInterface",
    }.items()
}


def interface_names() -> list[str]:
    """Names of all interfaces, those of this package first."""
    return list(OWN | _offered())


def get_interface(name: str, **options: Any) -> QMInterface:
    """Construct an interface from its name and its options.

    Parameters
    ----------
    name
        One of `interface_names`.
    options
        Plain values as they come from YAML or JSON; docs/qm_codes.md lists them.

    Raises
    ------
    SettingsError
        If the name or an option is unknown, an option is missing or has a wrong value, or the package that
        offers the interface cannot be imported. The reason names it.
    """
    interface = _class_of(name)
    parameters = inspect.signature(interface).parameters
    for option in options:
        if option not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            raise SettingsError(
                f"unknown option {option!r} of QM interface {name!r}; its options are {known}"
            )
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option not in options:
            raise SettingsError(f"option {option!r} of QM interface {name!r} is missing")
    return interface(**options)


def _class_of(name: str) -> Callable[..., QMInterface]:
    point = OWN.get(name) or _offered().get(name)  # looking for other packages takes milliseconds
    if point is None:
        names = ", ".join(interface_names())
        raise SettingsError(f"unknown QM interface {name!r}; it must be one of {names}")
    try:
        interface: Callable[..., QMInterface] = point.load()
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"QM interface {name!r} ({point.value}) cannot be imported: {error}") from error
    return interface


def _offered() -> dict[str, EntryPoint]:
    """Entry points of other packages; none of them replaces an interface of this package."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in OWN}
