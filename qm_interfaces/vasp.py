"""VASP with ASE's input files, custodian's corrections, and a guard of the level of theory."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from qm_interfaces import options
from qm_interfaces.interface import (
    CodeFailed,
    CodeMissing,
    LevelChanged,
    NotConverged,
    QMError,
    QMResult,
    SettingsError,
)
from qm_interfaces.kpoints import KPoints
from qm_interfaces.obstacles import collect
from qm_interfaces.relaxation import RelaxationSettings
from qm_interfaces.vasp_import import inputs_of_run
from qm_interfaces.vasp_inputs import (
    incar_option,
    potcar_option,
    relaxation_keys,
    right_handed,
    write_inputs,
)
from qm_interfaces.vasp_level import VaspInputs, level_changes, level_of_incar, restore
from qm_interfaces.vasp_results import read_result

TURNS = 5  # of relaxation and static run; two do where the cell changes little


@dataclass(frozen=True)
class VaspWorker:
    """The way in which this machine runs VASP, which is not part of a campaign.

    Attributes
    ----------
    command
        Words of ALFLOW_VASP_COMMAND, in which {cores} stands for ALFLOW_VASP_CORES.
    walltime_s
        ALFLOW_VASP_WALLTIME_S, the limit of all runs of one label, for queues that give less time than the
        campaign.
    """

    command: tuple[str, ...]
    walltime_s: float | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> VaspWorker:
        cores = environment.get("ALFLOW_VASP_CORES", "1")
        if not cores.isdecimal() or int(cores) < 1:
            raise SettingsError(f"ALFLOW_VASP_CORES is {cores!r}: it must be a whole number of at least 1")
        usual = "vasp_std" if int(cores) == 1 else "mpirun -n {cores} vasp_std"
        words = shlex.split(environment.get("ALFLOW_VASP_COMMAND", usual).replace("{cores}", cores))
        if not words or shutil.which(words[0]) is None:
            raise CodeMissing(
                f"there is no program {words[0] if words else ''!r} on this machine: set ALFLOW_VASP_COMMAND "
                "to the command that runs VASP, such as 'srun /opt/vasp/bin/vasp_std'"
            )
        return cls(tuple(words), cls._walltime_s(environment.get("ALFLOW_VASP_WALLTIME_S")))

    def after(self, start: float) -> VaspWorker:
        """Return the worker with the wall time left of a label begun at `start` (`time.monotonic`)."""
        if self.walltime_s is None:
            return self
        return replace(self, walltime_s=max(0.0, self.walltime_s - (time.monotonic() - start)))

    @staticmethod
    def _walltime_s(value: str | None) -> float | None:
        if value is None:
            return None
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not seconds > 0:
            raise SettingsError(f"ALFLOW_VASP_WALLTIME_S is {value!r}: it must be a number of seconds")
        return seconds


class VaspInterface:
    """VASP, static labels and relaxations.

    Parameters
    ----------
    xc
        A functional as ASE's Vasp names it: "pbe", "pbesol", "scan", "hse06", "lda", ...
    incar
        INCAR keys, ENCUT and ISMEAR among them.
    kpoints
        {mesh: [4, 4, 4]} or {spacing_per_A: 0.2}, the factor 2π included. The mesh is centred at Γ unless
        gamma is false.
    potcar
        TITEL of the POTCAR of each species. It is compared with the POTCAR in VASP_PP_PATH.
    """

    name = "vasp"

    def __init__(
        self, xc: str, incar: dict[str, Any], kpoints: dict[str, Any], potcar: dict[str, str]
    ) -> None:
        from ase.calculators.vasp.create_input import GenerateVaspInput

        self.xc = options.choice(
            "xc", xc.lower() if isinstance(xc, str) else xc, GenerateVaspInput.xc_defaults
        )
        self.incar = incar_option(incar)
        self.kpoints = KPoints.from_option(kpoints)
        self.potcar = potcar_option(potcar)

    def level_of_theory(self) -> dict[str, Any]:
        return {
            "code": "vasp",
            "xc": self.xc,
            "incar": level_of_incar(self.incar),
            "kpoints": self.kpoints.level_of_theory(),
            "potcar": self.potcar,
        }

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        worker = VaspWorker.from_environment()
        _require_pymatgen()
        return self._static(atoms, _empty(directory / f"vasp-{attempt}"), worker, attempt)

    def obstacles(self, structures: Sequence[Atoms]) -> list[QMError]:
        inputs = [partial(self._try_inputs, atoms) for atoms in structures]
        return collect([VaspWorker.from_environment, _require_pymatgen, *inputs])

    def relax(
        self, atoms: Atoms, directory: Path, settings: RelaxationSettings, *, attempt: int = 1
    ) -> QMResult:
        """Relax by VASP itself, then label the resulting structure.

        VASP keeps the plane waves and k-points of the cell that it starts from. The static run has those of
        the relaxed cell, and the level of theory that was asked for. It alone decides whether the structure
        is relaxed; if it is not, VASP continues from there. Therefore no correction on the way can do harm.
        """
        worker, start = VaspWorker.from_environment(), time.monotonic()
        _require_pymatgen()
        folder = _empty(directory / f"vasp-{attempt}")
        moving, steps, evaluations = atoms.copy(), settings.steps, 0
        corrections: list[Any] = []
        for turn in range(1, TURNS + 1):
            # VASP's own criterion differs from ours: each turn halves it.
            keys = relaxation_keys(settings.fmax_eV_A / 2 ** (turn - 1), settings.pressure_GPa, steps)
            moved = self._moved(moving, folder / f"relax-{turn}", worker.after(start), keys, attempt)
            moving.set_cell(moved.cell)
            moving.positions = moved.positions
            static = self._static(moving, folder / f"static-{turn}", worker.after(start), attempt)
            corrections += moved.info["corrections"] + static.details["corrections"]
            steps -= moved.info["ionic_steps"]
            evaluations += moved.info["ionic_steps"] + 1
            if settings.reached(static.forces_eV_A, static.stress_eV_A3):
                facts = {"corrections": corrections, "evaluations": evaluations}
                return replace(static, relaxed=moving, details=static.details | facts)
            if steps <= 0:
                break
        raise settings.not_reached(static.forces_eV_A, static.stress_eV_A3)

    def write(
        self,
        atoms: Atoms,
        folder: Path,
        *,
        attempt: int = 1,
        moves: dict[str, Any] | None = None,
        only_titles: bool = False,
    ) -> list[int]:
        """Write the input files and return `order`: `result[order]` is in the order of `atoms`.

        Parameters
        ----------
        attempt
            Later attempts get more electronic steps.
        moves
            INCAR keys of a relaxation.
        only_titles
            As for `write_inputs`.
        """
        missing = sorted(set(atoms.symbols) - set(self.potcar))
        if missing:
            raise SettingsError(f"option 'potcar' has no TITEL for {', '.join(missing)}")
        cell = right_handed(atoms)
        more = {"NELM": int(self.incar.get("NELM", 60)) * attempt} if attempt > 1 else {}
        return write_inputs(
            cell,
            folder,
            xc=self.xc,
            incar=self.incar | more | (moves or {}),
            mesh=self.kpoints.divisions(cell),
            gamma=self.kpoints.gamma,
            potcar=self.potcar,
            only_titles=only_titles,
        )

    def import_folder(self, folder: Path) -> tuple[Atoms, QMResult]:
        """Read the label in the folder of a finished VASP run.

        Raises
        ------
        LevelChanged
            If its INCAR, its KPOINTS or the TITELs of its POTCAR belong to another level of theory.
        QMError
            If the run did not converge, cannot be read, or does not tell its level of theory.
        """
        _require_pymatgen()
        used = inputs_of_run(folder)
        result = read_result(folder)
        assert result.computed is not None  # read_result gives it
        atoms = result.computed.copy()
        moments = used.incar().get("MAGMOM", [])
        if len(moments) == len(atoms):
            atoms.set_initial_magnetic_moments(moments)
        with tempfile.TemporaryDirectory() as scratch:
            self.write(atoms, Path(scratch), only_titles=True)
            requested = VaspInputs.read(Path(scratch))
        if changes := level_changes(requested.without_moments(), used.without_moments()):
            raise LevelChanged(f"{folder} has another level of theory: {'; '.join(changes)}")
        return atoms, result

    def _try_inputs(self, atoms: Atoms) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            self.write(atoms, Path(scratch))

    def _static(self, atoms: Atoms, folder: Path, worker: VaspWorker, attempt: int) -> QMResult:
        folder.mkdir(parents=True, exist_ok=True)
        order = self.write(atoms, folder, attempt=attempt)
        details = self._run(folder, worker)
        return self._in_order(atoms, folder, order, details)

    def _moved(
        self,
        atoms: Atoms,
        folder: Path,
        worker: VaspWorker,
        moves: dict[str, Any],
        attempt: int,
    ) -> Atoms:
        """Relax by VASP and return the last structure; `info` has corrections and number of ionic steps."""
        from qm_interfaces.vasp_run import run_vasp

        folder.mkdir()
        order = self.write(atoms, folder, attempt=attempt, moves=moves)
        corrections = run_vasp(folder, worker.command, walltime_s=worker.walltime_s, moving=True)
        last = self._in_order(atoms, folder, order, {"corrections": corrections})
        assert last.computed is not None  # _in_order gives it
        if (last.computed.numbers != atoms.numbers).any():
            raise CodeFailed("VASP changed the order of the species")
        last.computed.info = {key: last.details[key] for key in ("corrections", "ionic_steps")}
        return last.computed

    def _run(self, folder: Path, worker: VaspWorker) -> dict[str, Any]:
        """Run VASP until the last run has the requested level of theory; return corrections and facts."""
        from qm_interfaces.vasp_run import run_vasp

        requested = VaspInputs.read(folder)
        start = time.monotonic()
        corrections = run_vasp(folder, worker.command, walltime_s=worker.walltime_s)
        changes = level_changes(requested, VaspInputs.read(folder))
        if changes:
            restore(requested, folder)
            said = f"corrections changed the level of theory ({'; '.join(changes)})"
            try:
                run_vasp(folder, worker.command, walltime_s=worker.after(start).walltime_s, correct=False)
            except (CodeFailed, NotConverged) as error:
                raise LevelChanged(f"{said}, and at the level asked for: {error.reason}") from error
            left = level_changes(requested, VaspInputs.read(folder))
            if left:
                raise LevelChanged(f"{said}, and so did the run after them ({'; '.join(left)})")
        return {
            "corrections": corrections,
            "rerun_because": changes,
            "kpoints": requested.kpoints(),
            "potcar": sorted(requested.potcar()),
        }

    def _in_order(self, atoms: Atoms, folder: Path, order: list[int], details: dict[str, Any]) -> QMResult:
        """Read the result, and put it into the order and the cell of `atoms`."""
        result = read_result(folder)
        assert result.computed is not None  # read_result gives it
        if len(result.computed) != len(atoms):
            raise CodeFailed(f"VASP computed {len(result.computed)} atoms instead of {len(atoms)}")
        computed = result.computed[order]
        if atoms.cell.handedness < 0:
            computed.set_cell(-computed.cell.array)
        return replace(
            result,
            forces_eV_A=np.asarray(result.forces_eV_A)[order],
            computed=computed,
            details=result.details | details,
        )


def _empty(folder: Path) -> Path:
    """Make `folder` anew, because a run that was killed leaves half-written orbitals."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _require_pymatgen() -> None:
    if find_spec("pymatgen") is None:
        raise CodeMissing("custodian needs pymatgen to correct VASP: pip install 'alflow[vasp]'")
