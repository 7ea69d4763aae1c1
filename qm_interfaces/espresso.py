"""Quantum ESPRESSO's pw.x: plane waves and pseudopotentials, run as a program.

P. Giannozzi et al., J. Phys.: Condens. Matter 29, 465901 (2017). ASE writes and reads its files;
custodian runs it and corrects errors as far as that is allowed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.units import Ry

from qm_interfaces import options
from qm_interfaces.interface import QMError, QMResult, SettingsError
from qm_interfaces.kpoints import KPoints
from qm_interfaces.obstacles import collect, require_periodic

COMMAND_VARIABLE = "ALFLOW_PW_COMMAND"
INSTALL = "apt install quantum-espresso"
PSEUDOPOTENTIAL_VARIABLE = "ESPRESSO_PSEUDO"
SMEARINGS = ("none", "gaussian", "methfessel-paxton", "marzari-vanderbilt", "fermi-dirac")
SECTIONS = ("control", "system", "electrons")
NUMERICAL = {
    *("disk_io", "verbosity", "max_seconds", "wf_collect", "title", "startingwfc"),
    *("electron_maxstep", "mixing_beta", "mixing_mode", "mixing_ndim"),
    *("diagonalization", "diago_cg_maxiter", "diago_david_ndim", "diago_thr_init"),
}
"""Keys of pw.x that decide how, and whether, self-consistency is reached, but not the result."""
RESERVED = {
    *("calculation", "prefix", "outdir", "pseudo_dir", "tprnfor", "tstress", "ibrav", "nat", "ntyp"),
    *("ecutwfc", "ecutrho", "occupations", "smearing", "degauss", "conv_thr"),
}
"""Keys of pw.x that the options or alflow set."""


class EspressoInterface:
    """Quantum ESPRESSO's pw.x.

    Parameters
    ----------
    pseudopotentials
        File of each species: an absolute path, or a name in the folder that ESPRESSO_PSEUDO names.
    kpoints
        {spacing_per_A: largest distance, 2π included} or {mesh: [n, n, n]}. The mesh is centred at Γ; with
        {gamma: false} it is Monkhorst and Pack's.
    ecutwfc_Ry, ecutrho_Ry
        Cutoffs of wave functions and density. `ecutrho_Ry` is four times `ecutwfc_Ry` by default.
    smearing, degauss_Ry
        Smearing of the occupations; "none" is for insulators.
    energy_tolerance_eV
        Largest estimated error of self-consistency, per atom.
    input_data
        Further keys of pw.x by section: {system: {nspin: 2}, electrons: {mixing_beta: 0.3}}.
    """

    name = "espresso"

    def __init__(
        self,
        pseudopotentials: dict[str, str],
        ecutwfc_Ry: float,
        kpoints: dict[str, Any],
        ecutrho_Ry: float | None = None,
        smearing: str = "marzari-vanderbilt",
        degauss_Ry: float = 0.02,
        energy_tolerance_eV: float = 1e-7,
        input_data: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        chosen = options.mapping("pseudopotentials", pseudopotentials)
        self.pseudopotentials = {species: _locate(species, chosen[species]) for species in sorted(chosen)}
        self.ecutwfc_Ry = options.number("ecutwfc_Ry", ecutwfc_Ry, above=0.0)
        self.ecutrho_Ry = (
            4 * self.ecutwfc_Ry
            if ecutrho_Ry is None
            else options.number("ecutrho_Ry", ecutrho_Ry, low=self.ecutwfc_Ry)
        )
        self.kpoints = KPoints.from_option(kpoints)
        self.smearing = options.choice("smearing", smearing, SMEARINGS)
        self.degauss_Ry = options.number("degauss_Ry", degauss_Ry, above=0.0)
        self.energy_tolerance_eV = options.number("energy_tolerance_eV", energy_tolerance_eV, above=0.0)
        self.input_data = _checked_input(input_data or {})

    def level_of_theory(self) -> dict[str, Any]:
        further = {
            f"{section}.{key}": value
            for section, keys in self.input_data.items()
            for key, value in keys.items()
            if key not in NUMERICAL
        }
        return {
            "code": "quantum-espresso",
            "pseudopotentials": {
                species: hashlib.sha256(file.read_bytes()).hexdigest()[:16]
                for species, file in self.pseudopotentials.items()
            },
            "ecutwfc_Ry": self.ecutwfc_Ry,
            "ecutrho_Ry": self.ecutrho_Ry,
            "kpoints": self.kpoints.level_of_theory(),
            "smearing": self.smearing,
            "degauss_Ry": None if self.smearing == "none" else self.degauss_Ry,
            "energy_tolerance_eV": self.energy_tolerance_eV,
            "input_data": further,
        }

    def compute(self, atoms: Atoms, directory: Path, *, attempt: int = 1) -> QMResult:
        from custodian.custodian import Custodian, CustodianError

        from qm_interfaces import espresso_run

        self._require_pseudopotentials(atoms)
        require_periodic(atoms, "pw.x")
        run = espresso_run.Run(_command())
        self._write_input(atoms, directory, attempt)
        custodian = Custodian(
            [espresso_run.Diagonalization(), espresso_run.SelfConsistency()],
            [run],
            max_errors=espresso_run.MOST_RUNS,
            directory=str(directory),
        )
        with suppress(CustodianError):  # the output says what is wrong
            custodian.run()
        computed, version = espresso_run.read_results(directory)
        return QMResult(
            energy_eV=float(computed.get_potential_energy(force_consistent=True)),
            forces_eV_A=computed.get_forces(),
            stress_eV_A3=computed.get_stress(voigt=True),
            code="pw.x",
            code_version=version,
            details={
                "kmesh": list(self.kpoints.divisions(atoms)),
                "corrections": espresso_run.corrections(custodian.run_log),
            },
            computed=computed,
        )

    def obstacles(self, structures: Sequence[Atoms]) -> list[QMError]:
        checks = [partial(self._require_pseudopotentials, atoms) for atoms in structures]
        return collect([_command, *checks, *(partial(require_periodic, a, "pw.x") for a in structures)])

    def _require_pseudopotentials(self, atoms: Atoms) -> None:
        missing = sorted(set(atoms.symbols) - set(self.pseudopotentials))
        if missing:
            raise SettingsError(f"option 'pseudopotentials' has no entry for {', '.join(missing)}")

    def _write_input(self, atoms: Atoms, directory: Path, attempt: int) -> None:
        from ase.io import write

        from qm_interfaces.espresso_run import INPUT
        from qm_interfaces.program import scratch

        links = directory / "pseudo"  # pw.x keeps few characters of a path
        links.mkdir(exist_ok=True)
        names = {}
        for species in sorted(set(atoms.symbols)):
            file = self.pseudopotentials[species]
            names[species] = f"{species}{file.suffix}"
            (links / names[species]).unlink(missing_ok=True)
            (links / names[species]).symlink_to(file)
        data = self._namelists(len(atoms), attempt)
        data["control"] |= {
            "pseudo_dir": "./pseudo",
            "outdir": os.path.relpath(scratch(directory), directory),
        }
        mesh = self.kpoints.divisions(atoms)
        write(
            directory / INPUT,
            atoms,
            format="espresso-in",
            input_data=data,
            pseudopotentials=names,
            kpts=mesh,
            koffset=[0 if self.kpoints.gamma else (count + 1) % 2 for count in mesh],
        )

    def _namelists(self, atom_count: int, attempt: int) -> dict[str, dict[str, Any]]:
        """The input without paths. Later attempts mix less and have more iterations."""
        occupations = (
            {"occupations": "fixed"}
            if self.smearing == "none"
            else {"occupations": "smearing", "smearing": self.smearing, "degauss": self.degauss_Ry}
        )
        further = {section: self.input_data.get(section, {}) for section in SECTIONS}
        return {
            "control": {"calculation": "scf", "disk_io": "none", "tprnfor": True, "tstress": True}
            | further["control"],
            "system": {"ecutwfc": self.ecutwfc_Ry, "ecutrho": self.ecutrho_Ry}
            | occupations
            | further["system"],
            "electrons": {
                "conv_thr": self.energy_tolerance_eV / Ry * atom_count,
                "electron_maxstep": 100 * attempt,
                "mixing_beta": 0.7 / attempt,
            }
            | further["electrons"],
        }


def _command() -> list[str]:
    from qm_interfaces.program import command

    return command(COMMAND_VARIABLE, "pw.x", INSTALL)


def _locate(species: str, choice: Any) -> Path:
    """Absolute path of the pseudopotential of `species`."""
    folder = os.environ.get(PSEUDOPOTENTIAL_VARIABLE)
    file = Path(folder or "", choice) if isinstance(choice, str) else None
    if file is None or not file.is_absolute() or not file.is_file():
        raise SettingsError(
            f"option 'pseudopotentials.{species}' is {choice!r}: it must be the absolute path of a file, or "
            f"a name in the folder of {PSEUDOPOTENTIAL_VARIABLE} ({folder or 'not set'})"
        )
    return file


def _checked_input(data: Any) -> dict[str, dict[str, Any]]:
    checked = {}
    for section, keys in options.mapping("input_data", data).items():
        options.choice("input_data", section.lower(), SECTIONS)
        lower = {key.lower(): value for key, value in options.mapping(f"input_data.{section}", keys).items()}
        if reserved := sorted(RESERVED & lower.keys()):
            raise SettingsError(
                f"option 'input_data.{section}' has {reserved[0]!r}, which alflow sets itself"
            )
        checked[section.lower()] = lower
    return checked
