"""MLIP-2 `.mtp` files, which MLIP-2, MLIP-3 and LAMMPS can read too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.files import write_completely
from alflow.potentials.mtp.basis import ContractionTables
from alflow.potentials.mtp.core import Core
from alflow.potentials.mtp.potential import MomentTensorPotential

_WITH_CORE = "ZBL+MTP"
"""First line of a potential with a core. MLIP-2, MLIP-3 and LAMMPS accept only ``MTP``, so they refuse the
file instead of computing it without its core."""
_TAG = "alflow species"
"""`potential_tag` names the species, because the format itself knows only types."""


def read_mtp(path: str | Path, species: Sequence[str] | None = None) -> MomentTensorPotential:
    """Read a potential.

    Parameters
    ----------
    path : path
        A `.mtp` file of MLIP-2, MLIP-3 or alflow with a Chebyshev radial basis (RBChebyshev).
    species : sequence of str, optional
        Chemical symbols of the types. Files that alflow wrote name them already.

    Raises
    ------
    InputError
        If the file is missing, truncated or of another kind, or if the species are unknown or too few.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the potential {path}: {error.strerror}") from None
    return mtp_from_bytes(data, species, str(path))


def mtp_from_bytes(data: bytes, species: Sequence[str] | None, name: str) -> MomentTensorPotential:
    """Parse the content of a `.mtp` file.

    Raises
    ------
    InputError
        Naming `name` and what is wrong.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise InputError(f"{name} is not a text file; expected an MLIP .mtp potential") from None
    return mtp_from_text(text, species, name)


def write_mtp(path: str | Path, potential: MomentTensorPotential) -> None:
    """Write a potential in MLIP-2's format; a reader never sees an incomplete file."""
    write_completely(path, mtp_to_text(potential))


def mtp_to_text(potential: MomentTensorPotential) -> str:
    """The text of the potential's `.mtp` file; reading it back gives every number bit for bit."""
    tables = potential.tables
    lines = [
        _WITH_CORE if potential.core else "MTP",
        "version = 1.1.0",
        "potential_name = MTP1m",
        f"scaling = {_number(potential.scaling)}",
        f"species_count = {len(potential.species)}",
        f"potential_tag = {_TAG} {' '.join(potential.species)}",
        *_core_lines(potential.core),
        "radial_basis_type = RBChebyshev",
        f"\tmin_dist = {_number(potential.min_distance_A)}",
        f"\tmax_dist = {_number(potential.cutoff_A)}",
        f"\tradial_basis_size = {potential.radial_coefficients.shape[3]}",
        f"\tradial_funcs_count = {potential.radial_coefficients.shape[2]}",
        "\tradial_coeffs",
    ]
    for i, j in np.ndindex(potential.radial_coefficients.shape[:2]):
        lines.append(f"\t\t{i}-{j}")
        lines += [f"\t\t\t{_braces(row)}" for row in potential.radial_coefficients[i, j]]
    lines += [
        f"alpha_moments_count = {tables.moment_count}",
        f"alpha_index_basic_count = {len(tables.basic)}",
        f"alpha_index_basic = {_integers(tables.basic)}",
        f"alpha_index_times_count = {len(tables.times)}",
        f"alpha_index_times = {_integers(tables.times)}",
        f"alpha_scalar_moments = {len(tables.scalars)}",
        f"alpha_moment_mapping = {{{', '.join(map(str, tables.scalars))}}}",
        f"species_coeffs = {_braces(potential.species_energies_eV)}",
        f"moment_coeffs = {_braces(potential.moment_coefficients)}",
    ]
    return "\n".join(lines) + "\n"


def mtp_from_text(
    text: str, species: Sequence[str] | None = None, name: str = "potential"
) -> MomentTensorPotential:
    """Parse the text of a `.mtp` file.

    Raises
    ------
    InputError
        If the text is not a valid potential; the message names `name` and the fault.
    """
    reader = _Reader(text, name)
    kind = reader.word("radial_basis_type")
    if kind != "RBChebyshev":
        raise InputError(f"{name} has the radial basis {kind}; only RBChebyshev is known")
    count, functions, size = (
        reader.integer(k) for k in ("species_count", "radial_funcs_count", "radial_basis_size|size")
    )
    tables = ContractionTables(
        basic=reader.integers("alpha_index_basic").reshape(-1, 4),
        times=reader.integers("alpha_index_times").reshape(-1, 4),
        scalars=reader.integers("alpha_moment_mapping"),
        moment_count=reader.integer("alpha_moments_count"),
    )
    for key, array in (("alpha_index_basic", tables.basic), ("alpha_index_times", tables.times)):
        if len(array) != reader.integer(f"{key}_count"):
            raise InputError(
                f"{name} announces {reader.integer(f'{key}_count')} rows of {key} but has {len(array)}"
            )
    potential = MomentTensorPotential(
        species=_species(species, reader, count, name),
        cutoff_A=reader.number("max_dist|max"),
        min_distance_A=reader.number("min_dist|min"),
        radial_coefficients=reader.radial_coefficients((count, count, functions, size)),
        species_energies_eV=reader.numbers("species_coeffs", count),
        moment_coefficients=reader.numbers("moment_coeffs", len(tables.scalars)),
        tables=tables,
        scaling=reader.number("scaling", default=1.0),
        core=_core(reader, count) if reader.has_core else None,
    )
    potential.compiled  # noqa: B018 - checks the indices of the tables
    return potential


def _core_lines(core: Core | None) -> list[str]:
    if core is None:
        return []
    return [f"core_inner = {_braces(core.inner_A.ravel())}", f"core_outer = {_braces(core.outer_A.ravel())}"]


def _core(reader: _Reader, count: int) -> Core:
    inner, outer = (reader.numbers(key, count * count) for key in ("core_inner", "core_outer"))
    return Core(inner.reshape(count, count), outer.reshape(count, count))


def _species(given: Sequence[str] | None, reader: _Reader, count: int, name: str) -> tuple[str, ...]:
    tag = reader.word("potential_tag", default="")
    if given is None and tag.startswith(_TAG):
        given = tag.removeprefix(_TAG).split()
    if given is None:
        raise InputError(
            f"{name} does not say which elements its {count} types are; give the species in their order"
        )
    if len(given) != count:
        raise InputError(f"{name} has {count} types, but {len(given)} species are given: {', '.join(given)}")
    for symbol in given:
        if symbol not in chemical_symbols[1:]:
            raise InputError(f"{symbol!r}, given as a species of {name}, is no chemical symbol")
    return tuple(given)


class _Reader:
    """Values of a `.mtp` file by key; every error message names the file and the key."""

    def __init__(self, text: str, name: str) -> None:
        self.has_core = text.lstrip().startswith(_WITH_CORE)
        if not self.has_core and not text.lstrip().startswith("MTP"):
            raise InputError(f"{name} is not a .mtp potential: its first line is not 'MTP'")
        self._name = name
        self._text = text
        self._values = dict(self._pairs(text))

    @staticmethod
    def _pairs(text: str) -> Iterator[tuple[str, str]]:
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if equals:
                yield key.strip(), value.strip()

    def word(self, key: str, default: str | None = None) -> str:
        for alternative in key.split("|"):
            if alternative in self._values:
                return self._values[alternative]
        if default is None:
            raise InputError(
                f"{self._name} has no {key.split('|')[0]}; the file is truncated or no .mtp potential"
            )
        return default

    def number(self, key: str, default: float | None = None) -> float:
        text = self.word(key, None if default is None else str(default))
        try:
            return float(text)
        except ValueError:
            raise InputError(f"{self._name}: {key.split('|')[0]} is {text!r}, which is no number") from None

    def integer(self, key: str) -> int:
        value = self.number(key)
        if value != int(value) or value < 0:
            raise InputError(f"{self._name}: {key.split('|')[0]} is {value}, not a whole number")
        return int(value)

    def integers(self, key: str) -> NDArray[np.int32]:
        text = self._closed(key)
        if re.search(r"[^-\d\s,{}]", text):
            raise InputError(f"{self._name}: {key} holds something that is no whole number")
        return np.array(re.findall(r"-?\d+", text), dtype=np.int32)

    def numbers(self, key: str, count: int) -> NDArray[np.float64]:
        return self._floats(self._closed(key), key, count)

    def radial_coefficients(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        section = self._text.partition("radial_coeffs\n")[2].partition("alpha_moments_count")[0]
        rows = re.findall(r"\{([^}]*)\}", section)
        return self._floats(",".join(rows), "radial_coeffs", int(np.prod(shape))).reshape(shape)

    def _closed(self, key: str) -> str:
        text = self.word(key)
        if not (text.startswith("{") and text.endswith("}")):
            raise InputError(f"{self._name} is truncated: {key} does not end with a brace")
        return text

    def _floats(self, text: str, key: str, count: int) -> NDArray[np.float64]:
        try:
            values = np.array([float(word) for word in text.strip("{}").split(",") if word.strip()])
        except ValueError:
            raise InputError(f"{self._name}: {key} holds something that is no number") from None
        if len(values) != count:
            raise InputError(f"{self._name}: {key} holds {len(values)} numbers, but {count} are needed")
        return values


def _number(value: float) -> str:
    return f"{value:.16e}"


def _braces(values: NDArray[np.float64]) -> str:
    return "{" + ", ".join(map(_number, values)) + "}"


def _integers(rows: NDArray[np.int32]) -> str:
    return "{" + ", ".join("{" + ", ".join(map(str, row)) + "}" for row in rows) + "}"
