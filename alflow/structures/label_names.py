"""Labels under other names than ASE's: `REF_energy`, `dft_forces`, `virial`, six-number stresses, and so on.

Conventions: a stress is in eV/Å³ with ASE's sign; a virial is −stress × volume in eV, as in GAP and QUIP.
Six numbers are in the order xx yy zz yz xz xy; nine are the rows of the tensor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray
from pydantic import Field, model_validator

from alflow.errors import InputError
from alflow.settings import Section

ENERGY_TOLERANCE_EV_PER_ATOM = 1e-5
FORCE_TOLERANCE_EV_A = 1e-4
STRESS_TOLERANCE_EV_A3 = 1e-4
ASYMMETRY = 0.01

_SOURCE = r"(?:ref|reference|dft|qm|vasp|castep|cp2k|espresso|qe|gpaw|aims|orca|gaussian|true|target|label)"
_NAME = re.compile(
    rf"(?:(?P<before>{_SOURCE})[_.-]?)?"
    r"(?:(?P<free>free_?energy)|(?P<energy>(?:tot(?:al)?_?|potential_?)?energy|toten)"
    r"|(?P<forces>forces?)|(?P<stress>stress)|(?P<virial>virials?))"
    rf"(?:[_.-]?(?P<after>{_SOURCE}))?",
    re.IGNORECASE,
)
_LOOKS_LIKE_A_LABEL = re.compile(r"energy|force|stress|virial|toten", re.IGNORECASE)
_NO_LABELS = re.compile(r"weight|^energies$|^stresses$|^free_energies$|sigma", re.IGNORECASE)
_AS_WRITTEN = "_as_written"


class LabelKeys(Section):
    """Names under which a file holds the labels; what is left out is found by itself."""

    energy: str | None = Field(default=None, min_length=1, description="total energy, eV")
    forces: str | None = Field(default=None, min_length=1, description="forces, eV/Å")
    stress: str | None = Field(default=None, min_length=1, description="stress, eV/Å³, ASE's sign")
    virial: str | None = Field(default=None, min_length=1, description="virial = −stress × volume, eV")

    @model_validator(mode="after")
    def _one_of_stress_and_virial(self) -> LabelKeys:
        if self.stress is not None and self.virial is not None:
            raise ValueError("stress and virial are both given; a frame takes one of them")
        return self

    @classmethod
    def parse(cls, text: str) -> LabelKeys:
        """Keys from a text such as ``energy=REF_energy,forces=REF_forces,virial=REF_virial``.

        Raises
        ------
        InputError
            If the text is of another form.
        """
        pairs = [entry.partition("=") for entry in text.split(",") if entry.strip()]
        names = {label.strip(): name.strip() for label, _, name in pairs}
        known = list(cls.model_fields)
        if not names or len(names) < len(pairs) or not set(names) <= set(known) or not all(names.values()):
            raise InputError(
                f"--keys is '{text}'; it takes pairs such as energy=REF_energy,forces=REF_forces "
                f"(labels are {', '.join(known)})"
            )
        return cls(**names)


@dataclass(frozen=True)
class _Candidate:
    """A value that may be a label; `source` is the lower-case mark of the name, such as ``ref``."""

    label: str
    name: str
    source: str
    value: Any


@dataclass(frozen=True)
class FoundLabels:
    """What was read for the labels of one frame.

    Attributes
    ----------
    names : dict of str to str
        Label → name it was read from, for `energy`, `forces` and `stress`.
    unread : frozenset of str
        Names that look like labels and were not read.
    energy_correction_eV_per_atom : float
        How far ASE's `energy` was from the label.
    no_volume : bool
        Whether there is a virial, but no cell to turn it into a stress.
    """

    names: dict[str, str]
    unread: frozenset[str]
    energy_correction_eV_per_atom: float = 0.0
    no_volume: bool = False


def without_ase_conversion(comment: str) -> dict[str, Any]:
    """Parse the comment line of extended XYZ; stress and virial may have six numbers, or be no numbers.

    ASE takes nine numbers for them and raises a `ValueError` otherwise.
    """
    from ase.io.extxyz import key_val_str_to_dict

    try:
        info: dict[str, Any] = key_val_str_to_dict(comment)
    except ValueError:
        renamed = re.sub(r"(?<!\S)(stress|virial)(?=\s*=)", rf"\1{_AS_WRITTEN}", comment)
        info = key_val_str_to_dict(renamed)
        for name in ("stress", "virial"):
            if name + _AS_WRITTEN in info:
                info[name if name == "virial" else name + _AS_WRITTEN] = info.pop(name + _AS_WRITTEN)
    return info


def settle_labels(atoms: Atoms, keys: LabelKeys, *, find: bool = True) -> FoundLabels:
    """Put the labels of a frame into its calculator, under ASE's names.

    Energy is the free energy where both are known. Names that were read are taken out of `info` and `arrays`.

    Parameters
    ----------
    keys
        Names that the user gave.
    find
        Whether other names are recognised by themselves.

    Raises
    ------
    InputError
        If a value is not of the right kind, or two names have different values: the rest of a sentence that
        begins with the frame.
    """
    found = list(_candidates(atoms, find))
    labels: dict[str, Any] = {}
    names: dict[str, str] = {}
    used: set[str] = {candidate.name for candidate in found}
    correction = 0.0
    no_volume = False

    energy, correction = _energy(atoms, keys, found)
    if energy is not None:
        labels["energy"], names["energy"] = energy.value, energy.name
    if (forces := _chosen(atoms, "forces", keys.forces, found)) is not None:
        labels["forces"], names["forces"] = forces.value, forces.name
    stress = None if keys.virial else _chosen(atoms, "stress", keys.stress, found)
    virial = None if keys.stress else _chosen(atoms, "virial", keys.virial, found)
    if virial is not None and atoms.cell.rank < 3:
        virial, no_volume = None, True
    if virial is not None:
        from_virial = -virial.value / atoms.get_volume()
        if stress is not None and np.abs(stress.value - from_virial).max() > STRESS_TOLERANCE_EV_A3:
            difference = float(np.abs(stress.value - from_virial).max())
            raise InputError(
                f"has '{stress.name}' and '{virial.name}' that differ by "
                f"{difference:.3g} eV/Å³ (a virial is −stress × volume); say which "
                f"with --keys stress={stress.name} or --keys virial={virial.name}"
            )
        labels["stress"], names["stress"] = from_virial, virial.name
    if stress is not None:
        labels["stress"], names["stress"] = stress.value, stress.name

    given = set(keys.model_dump(exclude_none=True).values())
    present = _all_names(atoms)
    unread = {name for name in present - used - given if _looks_like_a_label(name)}
    for name in (used | given) & present:
        atoms.info.pop(name, None)
        if name not in ("numbers", "positions"):
            atoms.arrays.pop(name, None)
    _store(atoms, labels)
    return FoundLabels(names, frozenset(unread), correction, no_volume)


def _energy(atoms: Atoms, keys: LabelKeys, found: list[_Candidate]) -> tuple[_Candidate | None, float]:
    """The energy by the rule that the free energy counts, and its difference to the other in eV per atom."""
    if keys.energy is not None:
        return _chosen(atoms, "energy", keys.energy, found), 0.0
    sources: dict[str, dict[str, _Candidate]] = {}
    for candidate in found:
        if candidate.label in ("energy", "free"):
            value = _checked(atoms, candidate)
            of_source = sources.setdefault(candidate.source, {})
            if (other := of_source.get(candidate.label)) is not None:
                _require_agreement(atoms, [other], value)
            else:
                of_source[candidate.label] = value
    chosen = [source.get("free", source.get("energy")) for source in sources.values()]
    first = next((c for c in chosen if c is not None), None)
    if first is None:
        return None, 0.0
    firsts = next(iter(sources.values()))
    for other in chosen[1:]:
        if other is not None:
            _require_agreement(atoms, list(firsts.values()), other)
    correction = abs(first.value - firsts["energy"].value) / max(len(atoms), 1) if "energy" in firsts else 0.0
    return first, correction


def _chosen(atoms: Atoms, label: str, key: str | None, found: list[_Candidate]) -> _Candidate | None:
    """The candidate of a given name, or the one on which all agree."""
    if key is not None:
        value = _value_of(atoms, key)
        return None if value is None else _checked(atoms, _Candidate(label, key, "", value))
    candidates = [_checked(atoms, candidate) for candidate in found if candidate.label == label]
    for other in candidates[1:]:
        _require_agreement(atoms, candidates[:1], other)
    return candidates[0] if candidates else None


def _require_agreement(atoms: Atoms, known: list[_Candidate], other: _Candidate) -> None:
    label = other.label
    tolerance = {
        "forces": FORCE_TOLERANCE_EV_A,
        "stress": STRESS_TOLERANCE_EV_A3,
        "virial": STRESS_TOLERANCE_EV_A3 * max(abs(atoms.cell.volume), 1.0),
    }.get(label, ENERGY_TOLERANCE_EV_PER_ATOM * len(atoms))
    differences = [float(np.abs(one.value - other.value).max()) for one in known]
    if min(differences) > tolerance:
        option = "energy" if label == "free" else label
        raise InputError(
            f"has '{known[0].name}' and '{other.name}' that differ by {min(differences):.3g}; say which with "
            f"--keys {option}={known[0].name} or --keys {option}={other.name}"
        )


def _candidates(atoms: Atoms, find: bool) -> Iterator[_Candidate]:
    """Everything that has the name of a label; ASE's own names come first."""
    results = atoms.calc.results if atoms.calc is not None else {}
    for name, label in (("energy", "energy"), ("free_energy", "free"), ("forces", "forces")):
        if results.get(name) is not None:
            yield _Candidate(label, name, "", results[name])
    if results.get("stress") is not None:
        yield _Candidate("stress", "stress", "", results["stress"])
    if not find:
        return
    for place in (atoms.info, atoms.arrays):
        for name, value in place.items():
            match = _NAME.fullmatch(name.removesuffix(_AS_WRITTEN))
            if match is None or (match["forces"] is not None) != (place is atoms.arrays):
                continue
            kinds = ("free", "energy", "forces", "stress", "virial")
            label = next(kind for kind in kinds if match[kind] is not None)
            yield _Candidate(label, name, (match["before"] or match["after"] or "").lower(), value)


def _value_of(atoms: Atoms, name: str) -> Any:
    results = atoms.calc.results if atoms.calc is not None else {}
    for place in (atoms.info, atoms.arrays, results):
        if name in place:
            return place[name]
    return atoms.info.get(name + _AS_WRITTEN)


def _all_names(atoms: Atoms) -> set[str]:
    return {*atoms.info, *atoms.arrays} - {"numbers", "positions"}


def _looks_like_a_label(name: str) -> bool:
    return bool(_LOOKS_LIKE_A_LABEL.search(name)) and not _NO_LABELS.search(name)


def _checked(atoms: Atoms, candidate: _Candidate) -> _Candidate:
    """The candidate with numbers of the right shape: (), (N, 3) or Voigt's six."""
    name = candidate.name.removesuffix(_AS_WRITTEN)
    wanted = {
        "forces": f"numbers in eV/Å of shape ({len(atoms)}, 3)",
        "stress": "six or nine numbers in eV/Å³",
        "virial": "six or nine numbers in eV",
    }.get(candidate.label, "a number in eV")
    values = np.asarray(candidate.value)
    if values.dtype.kind not in "iuf":
        raise InputError(f"has {name} '{candidate.value}'; it takes {wanted}")
    values = values.astype(float)
    shape = values.shape
    if candidate.label in ("stress", "virial") and values.size in (6, 9):
        values = _voigt(name, values)
        shape = (6,)
    right: dict[str, tuple[int, ...]] = {"forces": (len(atoms), 3), "stress": (6,), "virial": (6,)}
    if shape != right.get(candidate.label, ()):
        raise InputError(f"has {name} of shape {shape}; it must be {right.get(candidate.label, ())}")
    value = float(values) if not shape else values
    return _Candidate(candidate.label, name, candidate.source, value)


def _voigt(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.size == 6:
        return values.reshape(6)
    tensor = values.reshape(3, 3)
    if np.abs(tensor - tensor.T).max() > ASYMMETRY * np.abs(tensor).max():
        raise InputError(f"has a {name} that is not symmetric; it takes nine numbers of a symmetric tensor")
    return np.asarray(((tensor + tensor.T) / 2).reshape(9)[[0, 4, 8, 5, 2, 1]])


def _store(atoms: Atoms, labels: dict[str, Any]) -> None:
    atoms.info.pop("stress" + _AS_WRITTEN, None)
    if atoms.calc is None:
        if labels:
            atoms.calc = SinglePointCalculator(atoms, **labels)
        return
    results = atoms.calc.results
    for name in ("energy", "forces", "stress"):
        results.pop(name, None)
    results.update(labels)
    if "free_energy" in results:
        if "energy" in labels:
            results["free_energy"] = labels["energy"]
        else:
            del results["free_energy"]
    if not results:
        atoms.calc = None
