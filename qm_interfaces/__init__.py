"""Quantum-mechanics codes behind one small protocol. This package imports neither alflow nor workflows."""

from __future__ import annotations

from qm_interfaces.interface import (
    CodeFailed,
    CodeMissing,
    LevelChanged,
    NotConverged,
    QMError,
    QMInterface,
    QMResult,
    SettingsError,
    TimedOut,
)
from qm_interfaces.level_of_theory import level_differences
from qm_interfaces.registry import get_interface, interface_names
from qm_interfaces.relaxation import relaxation_level
from qm_interfaces.runner import run_label, run_relaxation
from qm_interfaces.validation import LabelLimits, Reference, validate

__all__ = [
    "CodeFailed",
    "CodeMissing",
    "LabelLimits",
    "LevelChanged",
    "NotConverged",
    "QMError",
    "QMInterface",
    "QMResult",
    "Reference",
    "SettingsError",
    "TimedOut",
    "get_interface",
    "interface_names",
    "level_differences",
    "relaxation_level",
    "run_label",
    "run_relaxation",
    "validate",
]
