"""Quantum-mechanics codes behind one small protocol. This package imports neither alflow nor workflows."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qm_interfaces.interface import (
    CodeFailed,
    CodeMissing,
    LevelChanged,
    NotConverged,
    OutOfMemory,
    QMError,
    QMInterface,
    QMResult,
    SettingsError,
    TimedOut,
)
from qm_interfaces.level_of_theory import level_differences
from qm_interfaces.obstacles import obstacles
from qm_interfaces.registry import get_interface, interface_names
from qm_interfaces.relaxation import relaxation_level
from qm_interfaces.runner import run_label, run_relaxation

if TYPE_CHECKING:
    from qm_interfaces.validation import LabelLimits, Reference, is_energy_outlier, validate

__all__ = [
    "CodeFailed",
    "CodeMissing",
    "LabelLimits",
    "LevelChanged",
    "NotConverged",
    "OutOfMemory",
    "QMError",
    "QMInterface",
    "QMResult",
    "Reference",
    "SettingsError",
    "TimedOut",
    "get_interface",
    "interface_names",
    "is_energy_outlier",
    "level_differences",
    "obstacles",
    "relaxation_level",
    "run_label",
    "run_relaxation",
    "validate",
]

_VALIDATION = ("LabelLimits", "Reference", "is_energy_outlier", "validate")


def __getattr__(name: str) -> Any:
    """Import the validation when it is asked for: the process of each label does without its pydantic."""
    if name in _VALIDATION:
        return getattr(import_module("qm_interfaces.validation"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
