"""MLIP-2 `.mtp` files, which MLIP-2, MLIP-3 and LAMMPS can read too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.files import write_completely
from alflow.potentials.mtp.almtp_file import split_almtp
from alflow.potentials.mtp.basis import ContractionTables
from alflow.potentials.mtp.core import Core
from alflow.potentials.mtp.potential import MomentTensorPotential

_WITH_CORE = "ZBL+MTP"
"""First line of a potential with a core. MLIP-2, MLIP-3 and LAMMPS accept only ``MTP``, so they refuse the
file instead of computing it without its core."""
_TAG = "alflow species"
"""`potential_tag` names the species, because the format itself knows only types."""
_SMALLEST_DISTANCE, _LARGEST_DISTANCE = "min_dist|min_val|min", "max_dist|max_val|max"
_BASIS_SIZE = "radial_basis_size|basis_size|size"
"""Names of the same quantity in files of different releases of MLIP (its basis.cpp reads and writes them)."""
_BASIS_SCALING = "scaling of the radial basis"
"""A `scaling` after `radial_basis_type`, by which MLIP multiplies that of the potential (mtpr.cpp, Load)."""
_HARMLESS = ("version", "potential_name", "potential_tag")
"""Keys that change no energy: MLIP reads the version, which must be 1.1.0, a description and a tag."""
_KNOWN = {
    *_HARMLESS,
    *f"{_SMALLEST_DISTANCE}|{_LARGEST_DISTANCE}|{_BASIS_SIZE}".split("|"),
    *("scaling", _BASIS_SCALING, "species_count", "radial_basis_type", "radial_funcs_count"),
    *("alpha_moments_count", "alpha_index_basic_count", "alpha_index_basic", "alpha_index_times_count"),
    *("alpha_index_times", "alpha_scalar_moments", "alpha_moment_mapping", "species_coeffs", "moment_coeffs"),
}
_CORE = ("core_inner", "core_outer")
_TRAINED = ("radial_coeffs", "species_coeffs", "moment_coeffs")
_RADIAL_BLOCK = re.compile(r"\s*(\d{1,4})\s*-\s*(\d{1,4})\s*((?:\{[^{}]*\}\s*)+)")
_LARGEST_EXPONENT = 50
_LARGEST_COUNT = 10**7


def read_mtp(path: str | Path, species: Sequence[str] | None = None) -> MomentTensorPotential:
    """Read a potential.

    Parameters
    ----------
    path : path
        A `.mtp` or `.almtp` file of MLIP-2, MLIP-3 or alflow with a Chebyshev radial basis (RBChebyshev).
    species : sequence of str, optional
        Chemical symbols of the types. Files that alflow wrote name them already.

    Raises
    ------
    InputError
        If the file is missing, truncated or of another kind, or if the species are unknown or too few.
    """
    path = Path(path)
    return mtp_from_bytes(split_almtp(_content(path))[0], species, str(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the potential {path}: {error.strerror}") from None


def mtp_from_bytes(data: bytes, species: Sequence[str] | None, name: str) -> MomentTensorPotential:
    """Parse the content of a `.mtp` file.

    Raises
    ------
    InputError
        Naming `name` and what is wrong.
    """
    return mtp_from_text(_decoded(data, name), species, name)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{name} is not a text file; expected an MLIP .mtp potential") from None


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
    reader.check_keys()
    reader.check_trained()
    count, functions, size = (reader.integer(k) for k in ("species_count", "radial_funcs_count", _BASIS_SIZE))
    tables = _tables(reader, name)
    radial, types = reader.radial_coefficients(count, functions, size)
    species_energies = np.empty(count)
    species_energies[types] = reader.numbers("species_coeffs", count)
    potential = MomentTensorPotential(
        species=_species(species, reader, count, name),
        cutoff_A=reader.number(_LARGEST_DISTANCE),
        min_distance_A=reader.number(_SMALLEST_DISTANCE),
        radial_coefficients=radial,
        species_energies_eV=species_energies,
        moment_coefficients=reader.numbers("moment_coeffs", len(tables.scalars)),
        tables=tables,
        scaling=reader.number("scaling", default=1.0) * reader.number(_BASIS_SCALING, default=1.0),
        core=_core(reader, count) if reader.has_core else None,
    )
    potential.compiled  # noqa: B018 - checks the indices of the tables
    return potential


@dataclass(frozen=True, eq=False)
class Template:
    """The form of an untrained `.mtp` file: tables, radial interval, and polynomials per radial function."""

    tables: ContractionTables
    cutoff_A: float
    min_distance_A: float
    radial_basis_size: int


def read_template(path: str | Path) -> Template | None:
    """The form of an untrained potential, as MLIP distributes them; None if the file holds coefficients.

    Raises
    ------
    InputError
        As in `read_mtp`.
    """
    reader = _Reader(_decoded(_content(Path(path)), str(path)), str(path))
    if not reader.untrained:
        return None
    reader.check_keys()
    return Template(
        tables=_tables(reader, str(path)),
        cutoff_A=reader.number(_LARGEST_DISTANCE),
        min_distance_A=reader.number(_SMALLEST_DISTANCE),
        radial_basis_size=reader.integer(_BASIS_SIZE),
    )


def _tables(reader: _Reader, name: str) -> ContractionTables:
    tables = ContractionTables(
        basic=reader.index_rows("alpha_index_basic"),
        times=reader.index_rows("alpha_index_times"),
        scalars=reader.integers("alpha_moment_mapping"),
        moment_count=reader.integer("alpha_moments_count"),
    )
    for key, array in (("alpha_index_basic", tables.basic), ("alpha_index_times", tables.times)):
        if len(array) != reader.integer(f"{key}_count"):
            raise InputError(
                f"{name} announces {reader.integer(f'{key}_count')} rows of {key} but has {len(array)}"
            )
    if len(tables.scalars) != reader.integer("alpha_scalar_moments"):
        raise InputError(
            f"{name} announces {reader.integer('alpha_scalar_moments')} scalar moments "
            f"but maps {len(tables.scalars)}"
        )
    if not len(tables.basic) or tables.basic.min() < 0 or tables.basic.max() > _LARGEST_EXPONENT:
        raise InputError(f"{name}: alpha_index_basic must hold rows of numbers from 0 to {_LARGEST_EXPONENT}")
    return tables


def _core_lines(core: Core | None) -> list[str]:
    if core is None:
        return []
    return [f"core_inner = {_braces(core.inner_A.ravel())}", f"core_outer = {_braces(core.outer_A.ravel())}"]


def _core(reader: _Reader, count: int) -> Core:
    inner, outer = (reader.numbers(key, count * count) for key in _CORE)
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
        self._values: dict[str, str] = {}
        self._radial: str | None = None
        self._read(text.lstrip().splitlines()[1:])

    def _read(self, lines: list[str]) -> None:
        in_radial = False
        for line in lines:
            key, equals, value = (part.strip() for part in line.partition("="))
            if equals:
                if key == "scaling" and "radial_basis_type" in self._values:
                    key = _BASIS_SCALING
                if key in self._values:
                    raise InputError(f"{self._name} has {key} twice")
                self._values[key] = value
                in_radial = False
            elif key == "radial_coeffs" and self._radial is None:
                self._radial, in_radial = "", True
            elif in_radial:
                self._radial = f"{self._radial}{line}\n"
            elif key:
                raise InputError(
                    f"{self._name} has the line {key[:40]!r}, which is no key with a value; "
                    "the file is truncated or no .mtp potential"
                )

    def check_keys(self) -> None:
        """Refuse keys that may change energies in a way that is unknown here."""
        known = _KNOWN | set(_CORE) if self.has_core else _KNOWN
        for key in self._values:
            if key not in known:
                raise InputError(
                    f"{self._name} has the key {key[:40]!r}, which alflow does not know; "
                    "it might change energies, so the potential is refused"
                )
        if self.word("version", default="1.1.0") != "1.1.0":
            raise InputError(f"{self._name} has the version {self.word('version')!r}; only 1.1.0 is known")

    @property
    def untrained(self) -> bool:
        """Whether the file has no coefficients at all."""
        return self._radial is None and not set(_TRAINED) & set(self._values)

    def check_trained(self) -> None:
        """Refuse an untrained potential."""
        if self.untrained:
            raise InputError(
                f"{self._name} is an untrained potential: it has no {', '.join(_TRAINED)}; "
                "fit one with alflow fit --level, or from this file with alflow fit --start"
            )

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
            value = float(text.replace("_", "?"))
        except ValueError:
            raise InputError(f"{self._name}: {key.split('|')[0]} is {text!r}, which is no number") from None
        if not np.isfinite(value):
            raise InputError(f"{self._name}: {key.split('|')[0]} is {text}, which is not finite")
        return value

    def integer(self, key: str) -> int:
        value = self.number(key)
        if value != int(value) or not 0 <= value <= _LARGEST_COUNT:
            raise InputError(f"{self._name}: {key.split('|')[0]} is {value:g}, not a whole number in range")
        return int(value)

    def integers(self, key: str) -> NDArray[np.int32]:
        text = self._closed(key)
        words = re.sub(r"[{}]", "", text).replace(" ", "").split(",") if text.strip("{} ") else []
        if not all(re.fullmatch(r"-?\d{1,9}", word) for word in words):
            raise InputError(f"{self._name}: {key} holds something that is no whole number")
        return np.array(words, dtype=np.int64).astype(np.int32)

    def index_rows(self, key: str) -> NDArray[np.int32]:
        """Rows (n, 4) in braces of their own."""
        values = self.integers(key)
        text = re.sub(r"\s", "", self._closed(key))
        if values.size and not re.fullmatch(r"\{(\{-?\d+(,-?\d+){3}\},)*\{-?\d+(,-?\d+){3}\}\}", text):
            raise InputError(f"{self._name}: {key} must hold rows of four whole numbers")
        return values.reshape(-1, 4)

    def numbers(self, key: str, count: int) -> NDArray[np.float64]:
        return self._floats(self._closed(key), key, count)

    def radial_coefficients(
        self, count: int, functions: int, size: int
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Radial coefficients (S, S, F, K) by type, and the types in the order in which headers name them.

        As in MLIP-3 (mtpr.cpp, Load), the headers `t1-t2` say which types a block belongs to, and
        `species_coeffs` come in the order in which the headers first name a type.
        """
        if self._radial is None:
            raise InputError(f"{self._name} has no radial_coeffs; the file is truncated or no .mtp potential")
        blocks, position = {}, 0
        while block := _RADIAL_BLOCK.match(self._radial, position):
            pair, position = (int(block[1]), int(block[2])), block.end()
            if pair in blocks:
                raise InputError(f"{self._name}: radial_coeffs holds the types {pair[0]}-{pair[1]} twice")
            rows = re.findall(r"\{([^}]*)\}", block[3])
            where = f"radial_coeffs of the types {pair[0]}-{pair[1]}"
            blocks[pair] = self._floats(",".join(rows), where, functions * size).reshape(functions, size)
        if self._radial[position:].strip():
            rest = self._radial[position:].split()[0][:40]
            raise InputError(f"{self._name} is truncated or broken: radial_coeffs holds {rest!r}")
        types = list(dict.fromkeys(kind for pair in blocks for kind in pair))
        wanted = [(i, j) for i in range(count) for j in range(count)] if count <= len(blocks) else []
        if not wanted or sorted(blocks) != wanted:
            raise InputError(
                f"{self._name}: radial_coeffs must hold one block for each pair of the types "
                f"0 to {count - 1}, each under its header such as 0-0"
            )
        radial = np.array([blocks[pair] for pair in wanted]).reshape(count, count, functions, size)
        return radial, np.array(types, dtype=np.intp)

    def _closed(self, key: str) -> str:
        text = self.word(key)
        if not (text.startswith("{") and text.endswith("}")):
            raise InputError(f"{self._name} is truncated: {key} does not end with a brace")
        return text

    def _floats(self, text: str, key: str, count: int) -> NDArray[np.float64]:
        try:
            values = np.array([float(word) for word in text.strip("{} ").replace("_", "?").split(",")])
        except ValueError:
            raise InputError(f"{self._name}: {key} holds something that is no number") from None
        if len(values) != count:
            raise InputError(f"{self._name}: {key} holds {len(values)} numbers, but {count} are needed")
        if not np.isfinite(values).all():
            raise InputError(f"{self._name}: {key} holds a number that is not finite")
        return values


def _number(value: float) -> str:
    return f"{value:.16e}"


def _braces(values: NDArray[np.float64]) -> str:
    return "{" + ", ".join(map(_number, values)) + "}"


def _integers(rows: NDArray[np.int32]) -> str:
    return "{" + ", ".join("{" + ", ".join(map(str, row)) + "}" for row in rows) + "}"
