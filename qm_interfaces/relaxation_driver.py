"""Relaxation of one structure by any interface, with ASE's L-BFGS around its labels."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS

from qm_interfaces.interface import CodeFailed, QMInterface, QMResult
from qm_interfaces.relaxation import RelaxationSettings, RelaxingInterface


def relax(
    interface: QMInterface, atoms: Atoms, directory: Path, settings: RelaxationSettings, *, attempt: int = 1
) -> QMResult:
    """Relax the atoms and, if the structure is periodic in all directions, the cell.

    Returns
    -------
    QMResult
        Energy, forces and stress of `relaxed`, whose atoms are in the order of `atoms`.
        `details["evaluations"]` is the number of labels that were computed on the way.

    Raises
    ------
    NotConverged
        If `settings.steps` run out.
    QMError
        If a label on the way fails.
    """
    if isinstance(interface, RelaxingInterface):
        return interface.relax(atoms, directory, settings, attempt=attempt)
    cell = bool(atoms.pbc.all())
    moving = atoms.copy()
    calculator = moving.calc = _Labels(interface, directory, attempt, needs_stress=cell)
    pressure_eV_A3 = settings.pressure_GPa * units.GPa
    target: Any = FrechetCellFilter(moving, scalar_pressure=pressure_eV_A3) if cell else moving
    optimizer = LBFGS(target, logfile=os.devnull)
    for _ in optimizer.irun(fmax=0.0, steps=settings.steps):  # our own criterion ends it
        last = calculator.last
        stress_eV_A3 = last.stress_eV_A3 if cell else None
        if settings.reached(last.forces_eV_A, stress_eV_A3):
            evaluations = {"evaluations": calculator.evaluations}
            return replace(last, relaxed=Atoms(moving), details=last.details | evaluations)
    raise settings.not_reached(last.forces_eV_A, stress_eV_A3)


class _Labels(Calculator):
    """An ASE calculator that computes labels and keeps the last one."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012  (ASE's way)
    last: QMResult

    def __init__(self, interface: QMInterface, directory: Path, attempt: int, *, needs_stress: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.interface = interface
        self.folder = directory
        self.attempt = attempt
        self.needs_stress = needs_stress
        self.evaluations = 0

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = ("energy",),
        system_changes: Any = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        assert self.atoms is not None  # a copy of `atoms`, by the call above
        self.last = self.interface.compute(self.atoms, self.folder, attempt=self.attempt)
        self.evaluations += 1
        if self.needs_stress and self.last.stress_eV_A3 is None:
            raise CodeFailed(f"{self.last.code} gives no stress: the cell cannot be relaxed", retryable=False)
        energy = self.last.energy_eV
        self.results = {"energy": energy, "free_energy": energy, "forces": self.last.forces_eV_A}
        if self.last.stress_eV_A3 is not None:
            self.results["stress"] = self.last.stress_eV_A3
