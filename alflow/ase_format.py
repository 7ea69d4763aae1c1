"""MLIP's `.cfg` files for `ase.io`: the object of ASE's plug-in group `ase.ioformats`."""

from __future__ import annotations

from ase.utils.plugins import ExternalIOFormat

MLIP_CFG = ExternalIOFormat(
    desc="MLIP configurations (give species='Cu,Pd': the elements of the types)",
    code="+F",
    module="alflow.structures.ase_io",
    magic=b"BEGIN_CFG",
)
