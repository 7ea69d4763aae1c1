"""The four input files of VASP, written by ASE."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from qm_interfaces import options
from qm_interfaces.interface import CodeFailed, CodeMissing, SettingsError

STATIC = {"NSW": 0, "IBRION": -1, "ISIF": 2}  # one step, nothing moves, forces and stress

REFUSED = dict.fromkeys(STATIC, "labels are static, with forces and stress") | {
    "PSTRESS": "a label holds the energy, not an enthalpy",
    "KSPACING": "the k-points are option 'kpoints'",
    "KGAMMA": "the k-points are option 'kpoints'",
    "MAGMOM": "moments come with each configuration (initial magnetic moments)",
    "NELECT": "it depends on the configuration",
}


def incar_option(value: Any) -> dict[str, Any]:
    """Check option `incar`, and return it with names in capitals and numbers as numbers."""
    incar = {key.upper(): _plain(entry) for key, entry in options.mapping("incar", value).items()}
    for key, reason in REFUSED.items():
        if key in incar:
            raise SettingsError(f"option 'incar' has {key}, which cannot be set here: {reason}")
    for key, why in (
        ("ENCUT", "its default depends on the species, and so would the energies"),
        ("ISMEAR", "its default suits no insulator"),
    ):
        if key not in incar:
            raise SettingsError(f"option 'incar' lacks {key}: {why}")
    return {"ISPIN": 1} | incar


def relaxation_keys(fmax_eV_A: float, pressure_GPa: float, steps: int) -> dict[str, Any]:
    """Return the INCAR keys of a relaxation of atoms and cell by conjugate gradients."""
    return {
        "NSW": steps,
        "IBRION": 2,
        "ISIF": 3,
        "EDIFFG": -fmax_eV_A,
        "PSTRESS": 10 * pressure_GPa,  # kbar
    }


def potcar_option(value: Any) -> dict[str, str]:
    """Check option `potcar`, the TITEL of each species, e.g. Li: PAW_PBE Li_sv 10Sep2004."""
    titles = options.mapping("potcar", value)
    for species, title in titles.items():
        words = title.split() if isinstance(title, str) else []
        if (
            len(words) < 2
            or re.match(r"[A-Z][a-z]?", words[1] + " ") is None
            or _element(words[1]) != species
        ):
            raise SettingsError(
                f"option 'potcar.{species}' is {title!r}: it must be the TITEL of a POTCAR of {species}, "
                f"such as 'PAW_PBE {species} 04Jan2001'"
            )
    return {species: " ".join(title.split()) for species, title in sorted(titles.items())}


def write_inputs(
    atoms: Atoms,
    folder: Path,
    *,
    xc: str,
    incar: Mapping[str, Any],
    mesh: Sequence[int],
    gamma: bool,
    potcar: Mapping[str, str],
    only_titles: bool = False,
) -> list[int]:
    """Write INCAR, KPOINTS, POSCAR and POTCAR; with `only_titles`, only the TITELs of POTCAR.

    Returns
    -------
    list of int
        VASP wants the atoms sorted by species; `result[order]` is in the order of `atoms`.

    Raises
    ------
    CodeMissing
        If VASP_PP_PATH has no such POTCAR, or one with another TITEL.
    SettingsError
        If ASE refuses a key of `incar`.
    """
    from ase.calculators.vasp import Vasp

    class TitlesAlone(Vasp):
        """Inputs without pseudopotentials, for machines that have none."""

        def _build_pp_list(self, *args: Any, **kwargs: Any) -> list[str]:
            return []

        def write_potcar(self, suffix: str = "", directory: str = "./") -> None:
            titles = [potcar[species] for species, _ in self.symbol_count]
            (Path(directory) / f"POTCAR{suffix}").write_text(titles_text(titles), encoding="utf-8")

    atoms = atoms.copy()
    if incar["ISPIN"] != 2:
        atoms.arrays.pop("initial_magmoms", None)  # ASE would switch spin polarisation on
    setups = {species: potcar[species].split()[1][len(species) :] for species in set(atoms.symbols)}
    settings = {key.lower(): value for key, value in (STATIC | dict(incar)).items()}
    try:
        calculator = (TitlesAlone if only_titles else Vasp)(
            directory=str(folder), xc=xc, kpts=list(mesh), gamma=gamma, setups=setups, **settings
        )
    except (TypeError, ValueError, NotImplementedError) as error:
        raise SettingsError(f"option 'incar': {error}") from error
    try:
        calculator.initialize(atoms)
    except RuntimeError as error:
        sentence = " ".join(str(error).split())
        raise CodeMissing(f"there is no POTCAR; check VASP_PP_PATH on this machine: {sentence}") from error
    try:
        calculator.write_input(atoms, str(folder))
    except (TypeError, ValueError) as error:
        raise SettingsError(f"option 'incar' cannot be written: {error}") from error
    found = potcar_titles((folder / "POTCAR").read_text(encoding="utf-8", errors="replace"))
    wanted = [potcar[species] for species, _ in calculator.symbol_count]
    if found != wanted:
        raise CodeMissing(
            f"VASP_PP_PATH has POTCAR {', '.join(found)}, but option 'potcar' asks for {', '.join(wanted)}"
        )
    return list(calculator.resort)


def titles_text(titles: Sequence[str]) -> str:
    """Return the part of a POTCAR that the level of theory needs."""
    return "".join(f"   TITEL  = {title}\n" for title in titles)


def potcar_titles(text: str) -> list[str]:
    """Return the TITEL of each species in a POTCAR."""
    return [" ".join(title.split()) for title in re.findall(r"^\s*TITEL\s*=(.*)$", text, re.MULTILINE)]


def right_handed(atoms: Atoms) -> Atoms:
    """Return the same crystal in a cell that VASP accepts: a left-handed cell is inverted."""
    if not (atoms.pbc.all() and atoms.cell.rank == 3):
        raise CodeFailed("VASP needs a cell that is periodic in all directions", retryable=False)
    turned: Atoms = atoms.copy()
    if turned.cell.handedness < 0:
        turned.set_cell(-turned.cell.array)
    return turned


def _element(setup: str) -> str:
    """Return Li of Li_sv, and H of H1.25."""
    letters = re.match(r"[A-Z][a-z]?", setup)
    return letters.group() if letters else ""


def _plain(value: Any) -> Any:
    """Return texts that are numbers as numbers, because YAML 1.1 reads 1e-6 as text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value.strip()
    return value
