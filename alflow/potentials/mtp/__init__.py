"""Moment tensor potentials: basis, files, evaluation, fitting."""

from __future__ import annotations

from alflow.potentials.mtp.basis import ContractionTables, contraction_tables
from alflow.potentials.mtp.core import Core, CoreSettings
from alflow.potentials.mtp.evaluate import basis_functions, jacobian
from alflow.potentials.mtp.fitting import FitResult, fit
from alflow.potentials.mtp.kind import KIND
from alflow.potentials.mtp.mtp_file import mtp_from_text, mtp_to_text, read_mtp, write_mtp
from alflow.potentials.mtp.potential import MomentTensorPotential
from alflow.potentials.mtp.settings import MTPSettings

__all__ = [
    "KIND",
    "ContractionTables",
    "Core",
    "CoreSettings",
    "FitResult",
    "MTPSettings",
    "MomentTensorPotential",
    "basis_functions",
    "contraction_tables",
    "fit",
    "jacobian",
    "mtp_from_text",
    "mtp_to_text",
    "read_mtp",
    "write_mtp",
]
