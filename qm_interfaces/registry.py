"""From the name of an interface and plain options to the interface."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from qm_interfaces.interface import QMInterface, SettingsError

INTERFACES = {
    "ase": "qm_interfaces.ase_calculator:ASEInterface",
    "espresso": "qm_interfaces.espresso:EspressoInterface",
    "gaussian": "qm_interfaces.gaussian:GaussianInterface",
    "mock": "qm_interfaces.mock:MockInterface",
    "orbital-free": "qm_interfaces.orbital_free:OrbitalFreeInterface",
    "pyscf": "qm_interfaces.pyscf_code:PySCFInterface",
    "vasp": "qm_interfaces.vasp:VaspInterface",
}


def get_interface(name: str, **options: Any) -> QMInterface:
    """Construct the interface called `name`.

    Parameters
    ----------
    options
        Plain values as they come from YAML or JSON; docs/qm_codes.md lists them.

    Raises
    ------
    SettingsError
        Unknown name or option, missing option, or a wrong value; the reason names it.
    """
    if name not in INTERFACES:
        raise SettingsError(f"unknown QM interface {name!r}: it is one of {', '.join(sorted(INTERFACES))}")
    module, class_name = INTERFACES[name].split(":")
    interface = getattr(import_module(module), class_name)
    parameters = inspect.signature(interface).parameters
    for option in options:
        if option not in parameters:
            known = ", ".join(sorted(parameters))
            raise SettingsError(f"unknown option {option!r} of QM interface {name!r}: it has {known}")
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option not in options:
            raise SettingsError(f"option {option!r} of QM interface {name!r} is missing")
    return interface(**options)
