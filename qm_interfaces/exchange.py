"""Files between a label process and its parent: JSON, exact to the last bit, never pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from qm_interfaces.interface import QMResult


def write_text(path: Path, text: str) -> None:
    """Write a file in one step: at any time `path` is either absent, the old file, or the whole new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def write_json(path: Path, data: dict[str, Any]) -> None:
    write_text(path, json.dumps(data))


def atoms_to_dict(atoms: Atoms) -> dict[str, Any]:
    """Return all that a QM code may depend on: species, positions, cell, pbc, initial moments and charges."""
    data = {
        "numbers": atoms.numbers.tolist(),
        "positions_A": atoms.positions.tolist(),
        "cell_A": atoms.cell.array.tolist(),
        "pbc": atoms.pbc.tolist(),
    }
    for key in ("initial_magmoms", "initial_charges"):
        if atoms.has(key):
            data[key] = atoms.arrays[key].tolist()
    return data


def atoms_from_dict(data: dict[str, Any]) -> Atoms:
    return Atoms(
        numbers=data["numbers"],
        positions=data["positions_A"],
        cell=data["cell_A"],
        pbc=data["pbc"],
        magmoms=data.get("initial_magmoms"),
        charges=data.get("initial_charges"),
    )


def result_to_dict(result: QMResult) -> dict[str, Any]:
    return {
        "energy_eV": float(result.energy_eV),
        "forces_eV_A": np.asarray(result.forces_eV_A).tolist(),
        "stress_eV_A3": None if result.stress_eV_A3 is None else np.asarray(result.stress_eV_A3).tolist(),
        "code": result.code,
        "code_version": result.code_version,
        "wall_time_s": result.wall_time_s,
        "details": result.details,
        "computed": None if result.computed is None else atoms_to_dict(result.computed),
        "relaxed": None if result.relaxed is None else atoms_to_dict(result.relaxed),
    }


def result_from_dict(data: dict[str, Any]) -> QMResult:
    """Read what `result_to_dict` wrote.

    Raises
    ------
    KeyError, TypeError, ValueError
        If `data` is anything else.
    """
    forces = np.array(data["forces_eV_A"], dtype=float)
    stress = None if data["stress_eV_A3"] is None else np.array(data["stress_eV_A3"], dtype=float)
    if forces.ndim != 2 or forces.shape[1] != 3 or (stress is not None and stress.shape != (6,)):
        raise ValueError("forces or stress have a wrong shape")
    return QMResult(
        energy_eV=float(data["energy_eV"]),
        forces_eV_A=forces,
        stress_eV_A3=stress,
        code=str(data["code"]),
        code_version=str(data["code_version"]),
        wall_time_s=float(data["wall_time_s"]),
        details=dict(data["details"]),
        computed=None if data["computed"] is None else atoms_from_dict(data["computed"]),
        relaxed=None if data["relaxed"] is None else atoms_from_dict(data["relaxed"]),
    )
