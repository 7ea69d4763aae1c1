"""VASP under custodian, with a curated list of corrections. This module imports pymatgen."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from custodian.custodian import Custodian, CustodianError, ErrorHandler
from custodian.vasp.handlers import StdErrHandler, UnconvergedErrorHandler, VaspErrorHandler
from custodian.vasp.io import load_vasprun
from custodian.vasp.jobs import VaspJob
from custodian.vasp.validators import VaspFilesValidator
from monty.json import jsanitize

from qm_interfaces.interface import CodeFailed, NotConverged, QMError, TimedOut

OUTPUTS = ("OUTCAR", "vasprun.xml", "OSZICAR", "CONTCAR", "vasp.out", "std_err.txt")
POLL_S = 0.2
MONITOR_EVERY_S = 30.0
MAX_CORRECTIONS = 5
GRACE_S = 10.0  # between SIGTERM and SIGKILL

# Messages of VASP on which custodian's general handler must not act. It may act on all others, even if it
# answers with another level of theory, because the guard then repeats the run at the level asked for.
IGNORED_MESSAGES = {
    "auto_nbands": "a note: more bands than asked for, to share them among the processes",
    "symprec_noise": "a warning about the symmetry of a structure that MD has distorted",
    "elf_ncl": "output that no label needs",
    "triple_product": "would swap vectors of the cell; cells are written right-handed",
}
MOVING_MESSAGES = {"brions", "zbrent"}  # steps and line searches of relaxations; nothing moves in static runs

# Reasons why the other handlers of custodian are left out.
EXCLUDED_HANDLERS = {
    "AliasingErrorHandler": "changes the FFT grids, and with them energies",
    "DriftErrorHandler": "changes PREC and ENAUG; the net force is checked by `validate`",
    "MeshSymmetryErrorHandler": "changes the k-mesh",
    "IncorrectSmearingHandler": "changes ISMEAR and SIGMA",
    "LargeSigmaHandler": "changes SIGMA",
    "KspacingMetalHandler": "changes the k-mesh and smearing",
    "ScanMetalHandler": "changes the k-mesh and smearing",
    "LrfCommutatorHandler": "for linear response",
    "PotimErrorHandler": "for moving atoms",
    "NonConvergingErrorHandler": "acts after ten ionic steps; changes the mixing of all that follow",
    "PositiveEnergyErrorHandler": "a compressed cell may have a positive energy",
    "FrozenJobErrorHandler": "the time limit of the label ends a frozen run",
    "WalltimeHandler": "stops VASP before self-consistency, which is no label",
    "CheckpointHandler": "for long runs of moving atoms",
    "StoppedRunHandler": "for long runs of moving atoms",
}

# Validators: VaspFilesValidator alone. VasprunXMLValidator would reject a whole OUTCAR beside a broken
# vasprun.xml; VaspNpTMDValidator and VaspAECCARValidator are for MD and for charge densities.


class LabelJob(VaspJob):
    """VASP in the process group of its label, so that the label's time limit ends VASP, too."""

    def run(self, directory: str = "./") -> subprocess.Popen[bytes]:
        folder = Path(directory)
        for name in OUTPUTS:  # an old file must not be read as the result of this run
            (folder / name).unlink(missing_ok=True)
        with (folder / self.output_file).open("wb") as out, (folder / self.stderr_file).open("wb") as err:
            self._vasp_process = subprocess.Popen(
                self.vasp_cmd, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        return self._vasp_process

    def terminate(self, directory: str = "./") -> None:
        """End VASP and its children. custodian's own method kills the process group, which is ours here."""
        try:
            process = psutil.Process(self._vasp_process.pid)
            family = [*process.children(recursive=True), process]
        except psutil.NoSuchProcess:
            return
        for member in family:
            _signal(member.terminate)
        for survivor in psutil.wait_procs(family, GRACE_S)[1]:
            _signal(survivor.kill)


def _signal(send: Any) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return


class UnconvergedElectronsHandler(UnconvergedErrorHandler):
    """custodian's handler without its answer to unfinished relaxations, which the caller continues."""

    def check(self, directory: str = "./") -> bool:
        vasprun = Path(directory) / self.output_filename
        return super().check(directory) and not load_vasprun(vasprun).converged_electronic


def handlers(moving: bool = False) -> list[ErrorHandler]:
    """Return the allowed corrections, in the order in which they are tried."""
    ignored = IGNORED_MESSAGES.keys() | (set() if moving else MOVING_MESSAGES)
    messages = [name for name in VaspErrorHandler.error_msgs if name not in ignored]
    return [VaspErrorHandler(errors_subset_to_catch=messages), StdErrHandler(), UnconvergedElectronsHandler()]


def run_vasp(
    folder: Path,
    command: Sequence[str],
    *,
    walltime_s: float | None,
    correct: bool = True,
    moving: bool = False,
) -> list[dict[str, Any]]:
    """Run VASP on the inputs in `folder` until it ends without an error.

    Parameters
    ----------
    walltime_s
        Limit of the wall time of all runs together.
    correct
        Whether to correct errors; otherwise the first error ends the run.
    moving
        Whether the run is a relaxation.

    Returns
    -------
    list
        Corrections, each as {"errors": names, "actions": edits of the input files}.

    Raises
    ------
    NotConverged
        If the electronic steps do not converge.
    CodeFailed
        If an error remains.
    TimedOut
        If the wall time ends first.
    """
    if walltime_s is not None and walltime_s <= 0:
        raise TimedOut("the wall time of this worker is over")
    job = LabelJob(command, auto_gamma=False, backup=False)
    custodian = Custodian(
        handlers(moving),
        [job],
        validators=[VaspFilesValidator()],
        max_errors=MAX_CORRECTIONS if correct else 1,
        polling_time_step=POLL_S,
        monitor_freq=round(MONITOR_EVERY_S / POLL_S),
        directory=str(folder),
    )
    out_of_time = threading.Event()

    def stop() -> None:
        out_of_time.set()
        custodian.max_errors = 0  # no further run
        job.terminate()

    clock = None if walltime_s is None else threading.Timer(walltime_s, stop)
    try:
        if clock is not None:
            clock.start()
        custodian.run()
    except CustodianError as error:
        if not out_of_time.is_set():
            raise _failure(custodian, job, error) from error
    except OSError as error:
        raise CodeFailed(f"running VASP: {error}") from error
    finally:
        if clock is not None:
            clock.cancel()
    if out_of_time.is_set():
        raise TimedOut(f"VASP was stopped at the wall time of this worker ({walltime_s:g} s were left)")
    return _corrections(custodian)


def _corrections(custodian: Custodian) -> list[dict[str, Any]]:
    return [
        {"errors": sorted(map(str, entry["errors"])), "actions": jsanitize(entry["actions"] or [])}
        for run in custodian.run_log
        for entry in run["corrections"]
    ]


def _failure(custodian: Custodian, job: LabelJob, error: CustodianError) -> QMError:
    """Return the error that ended custodian, as a sentence."""
    found = _corrections(custodian)
    if found:
        last = found[-1]["errors"]
        times = f"after {len(found)} corrections" if len(found) > 1 else "and no correction helped"
        if "Unconverged" in last:
            return NotConverged(f"the electronic steps of VASP did not reach EDIFF {times}")
        return CodeFailed(f"VASP: {', '.join(last)} {times}")
    code = job._vasp_process.returncode
    if code:
        end = f"exit code {code}" if code > 0 else f"signal {-code}"
        return CodeFailed(f"VASP ended with {end}{_last_words(custodian.directory)}")
    if "VaspFilesValidator" in error.message:
        return CodeFailed(f"VASP ended without writing its results{_last_words(custodian.directory)}")
    return CodeFailed(f"VASP: {error.message}")


def _last_words(directory: str) -> str:
    for name in ("std_err.txt", "vasp.out"):
        file = Path(directory) / name
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n") if file.is_file() else []
        if said := [line.strip() for line in lines if line.strip()]:
            return f": {said[-1][:300]}"
    return ""
