"""The active set of a potential: the training rows that define its extrapolation grade.

γ(b) = max_j |(b A⁻¹)_j| (Podryabinkin and Shapeev 2017, doi 10.1016/j.commatsci.2017.08.031), where the rows
of A are the training rows with the largest |det A|. Where training rows do not span the range of all rows, as
in the first rounds, small pseudo-rows along the coordinates of the range fill the missing directions, and
MAXVOL chooses from both kinds alike. A neighborhood along a direction that no training row spans gets a
finite grade far above any threshold.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.files import write_completely
from alflow.potentials import Potential, evaluate
from alflow.selection.maxvol import grades, maxvol
from alflow.selection.rows import Mode, check_mode, rows

PSEUDO_ROW_SIZE = 1e-12
"""Length of a pseudo-row, relative to the longest training row. It is as small as double precision can
resolve, so that it decides nothing: directions in which training rows reach further than this count as
spanned, and pseudo-rows no longer affect the grade."""
ATOMS_AT_ONCE = 65_536
"""Atoms whose rows are in memory at a time; these take some hundred megabytes."""
FORMAT = "alflow active set 1"


@dataclass(frozen=True, eq=False)
class ActiveSet:
    """Active rows of a potential; immutable.

    Attributes
    ----------
    mode : {"neighborhood", "configuration"}
        Whether a row belongs to an atom or to a structure.
    species : tuple of str
        Chemical symbols of the potential.
    potential_numbers
        `Potential.identity` of the potential whose derivatives the rows are. The rows are meaningless for any
        other potential.
    basis : (m, r)
        `rows @ basis` are coordinates in the range of all rows (`Potential.parameter_range`).
    matrix : (r, r)
        A: the active rows in these coordinates.
    origins : (r,) int
        Index of each active row among the training rows, in the order they were given; −1 for a pseudo-row.
    row_count : int
        Number of training rows considered so far.
    """

    mode: Mode
    species: tuple[str, ...]
    potential_numbers: NDArray[np.float64]
    basis: NDArray[np.float64]
    matrix: NDArray[np.float64]
    origins: NDArray[np.int64]
    row_count: int

    @classmethod
    def from_structures(
        cls, potential: Potential, structures: Sequence[Atoms], mode: Mode = "neighborhood"
    ) -> ActiveSet:
        """The active set of training structures.

        At most the rows of `ATOMS_AT_ONCE` atoms are held in memory. If there are more, the passes over all
        structures are repeated until a pass leaves the active set unchanged.

        Raises
        ------
        InputError
            If there are no structures, the mode is unknown or a structure cannot be evaluated.
        """
        if not len(structures):
            raise InputError("an active set needs at least one training structure, but there is none")
        first, *others = parts = _parts(structures)
        active = cls.from_rows(potential, rows(potential, first, mode), mode)
        for part in others:
            active = active.add(rows(potential, part, mode))
        while others:
            before, first_row = active.origins, 0
            for part in parts:
                part_rows = rows(potential, part, mode)
                active = active._with(part_rows @ active.basis, first_row)
                first_row += len(part_rows)
            if np.array_equal(active.origins, before):
                break
        return active

    @classmethod
    def from_rows(
        cls, potential: Potential, training_rows: NDArray[np.float64], mode: Mode = "neighborhood"
    ) -> ActiveSet:
        """The active set of training rows (n, m), n ≥ 1, as `rows` gives them."""
        check_mode(mode)
        basis = potential.parameter_range()
        rank = basis.shape[1]
        coordinates = training_rows @ basis
        longest = np.linalg.norm(coordinates, axis=1).max()
        empty = cls(
            mode=mode,
            species=potential.species,
            potential_numbers=potential.identity,
            basis=basis,
            matrix=PSEUDO_ROW_SIZE * longest * np.eye(rank),
            origins=np.full(rank, -1),
            row_count=0,
        )
        return empty._with(coordinates, first_row=0)

    def add(self, new_rows: NDArray[np.float64]) -> ActiveSet:
        """The active set after these training rows (n, m) are added; the search starts from this set."""
        return self._with(new_rows @ self.basis, first_row=self.row_count)

    def _with(self, coordinates: NDArray[np.float64], first_row: int) -> ActiveSet:
        """The active set after exchanges with training rows; `first_row` is the index of the first row."""
        candidates = np.vstack([self.matrix, coordinates])
        origins = np.concatenate([self.origins, first_row + np.arange(len(coordinates))])
        start = np.arange(len(self.matrix)) if self.row_count else None
        chosen = maxvol(candidates, start=start).indices
        return replace(
            self,
            matrix=candidates[chosen],
            origins=origins[chosen],
            row_count=max(self.row_count, first_row + len(coordinates)),
        )

    @property
    def missing_count(self) -> int:
        """Number of directions of the range that no training row spans."""
        return int((self.origins < 0).sum())

    @property
    def log_volume(self) -> float:
        """ln |det A|."""
        return float(np.linalg.slogdet(self.matrix)[1])

    @cached_property
    def grade_matrix(self) -> NDArray[np.float64]:
        """(m, r): γ is the largest magnitude in `row @ grade_matrix`."""
        return self.basis @ np.linalg.inv(self.matrix)

    def grades(self, candidate_rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """γ of rows (n, m), shape (n,); infinite where a row is not finite."""
        return grades(candidate_rows, self.grade_matrix)

    def grade_structures(
        self, potential: Potential, structures: Sequence[Atoms]
    ) -> list[tuple[float, NDArray[np.float64] | None]]:
        """Grade of each structure and, in mode "neighborhood", the grades of its atoms (N,).

        In this mode the grade of a structure is the largest grade of its atoms. Ghost atoms
        (`arrays["ghost"]`) do not count, because they have no neighborhood of their own.

        Raises
        ------
        InputError
            If the active set belongs to another potential or a structure cannot be evaluated; in mode
            "configuration", if a structure has ghost atoms.
        """
        self.check_belongs_to(potential)
        if self.mode == "configuration":
            if any(_ghosts(atoms).any() for atoms in structures):
                raise InputError(
                    "a structure has ghost atoms, which belong to no configuration; grade it with an active "
                    "set of mode neighborhood"
                )
            return [(float(grade), None) for grade in self.grades(rows(potential, structures, self.mode))]
        gamma = evaluate(potential, structures, forces=False, grade_matrix=self.grade_matrix).grades
        assert gamma is not None
        ends = np.cumsum([len(atoms) for atoms in structures])[:-1]
        return [
            (float(part[~_ghosts(atoms)].max(initial=0.0)), part)
            for atoms, part in zip(structures, np.split(gamma, ends), strict=True)
        ]

    def check_belongs_to(self, potential: Potential) -> None:
        """Check that the potential has the species and parameters that the active set was made with.

        Raises
        ------
        InputError
            If it has not.
        """
        if self.species != potential.species:
            raise InputError(
                f"the active set was made for the species {', '.join(self.species)}, "
                f"but the potential has {', '.join(potential.species)}"
            )
        # A potential that was written to and read from a text file may differ in the last digits.
        own, other = self.potential_numbers, potential.identity
        if own.shape != other.shape or not np.allclose(own, other, rtol=1e-9, atol=1e-14):
            raise InputError(
                "the active set belongs to a potential with other parameters; "
                "make it anew from the training data"
            )

    def to_bytes(self) -> bytes:
        """The content of the file that `save` writes."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            format=FORMAT,
            mode=self.mode,
            species=np.array(self.species),
            potential_numbers=self.potential_numbers,
            basis=self.basis,
            matrix=self.matrix,
            origins=self.origins,
            row_count=self.row_count,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the active set") -> ActiveSet:
        """Inverse of `to_bytes`; error messages call the data `name`.

        Raises
        ------
        InputError
            If the data do not hold an active set.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                if str(arrays["format"]) != FORMAT:
                    raise KeyError("format")
                for key in ("potential_numbers", "basis", "matrix"):
                    if arrays[key].dtype != np.float64 or not np.isfinite(arrays[key]).all():
                        raise ValueError(f"{key} holds something that is no finite number")
                return cls(
                    mode="configuration" if str(arrays["mode"]) == "configuration" else "neighborhood",
                    species=tuple(str(symbol) for symbol in arrays["species"]),
                    potential_numbers=arrays["potential_numbers"],
                    basis=arrays["basis"],
                    matrix=arrays["matrix"],
                    origins=arrays["origins"],
                    row_count=int(arrays["row_count"]),
                )
        except Exception as error:  # NumPy's reader raises exceptions of any class
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(f"{name} is no file that an active set was saved to ({reason})") from error

    def save(self, path: str | Path) -> None:
        """Write an npz file without pickled objects."""
        write_completely(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> ActiveSet:
        """Read a file that `save` wrote.

        Raises
        ------
        InputError
            If the file is missing or does not hold an active set.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"the active set {path} cannot be read: {error.strerror}") from None
        return cls.from_bytes(data, str(path))


def _parts(structures: Sequence[Atoms]) -> list[list[Atoms]]:
    """Split structures into parts of about `ATOMS_AT_ONCE` atoms."""
    part = np.cumsum([len(atoms) for atoms in structures]) // ATOMS_AT_ONCE
    return [[structures[i] for i in np.flatnonzero(part == k).tolist()] for k in np.unique(part)]


def _ghosts(atoms: Atoms) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.asarray(atoms.arrays.get("ghost", np.zeros(len(atoms))), dtype=bool)
    return found
