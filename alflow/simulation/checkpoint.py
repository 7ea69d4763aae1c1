"""The complete state of a molecular-dynamics run at one step, from which the run resumes exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms

from alflow.errors import InputError

_ARRAYS = {
    "numbers": np.int64,
    "masses": np.float64,
    "fixed": np.int64,
    "positions": np.float64,
    "momenta": np.float64,
    "cell": np.float64,
    "pbc": np.bool_,
    "cell_momenta": np.float64,
}


@dataclass(frozen=True)
class Checkpoint:
    """State of a run after `step` steps.

    Attributes
    ----------
    step
        Steps done.
    numbers, masses, fixed
        Atomic numbers (N,), masses (N,) in amu, indices of the fixed atoms.
    positions, momenta, cell, pbc
        (N, 3) in Å; (N, 3) in ASE units, √(eV amu); (3, 3) in Å; (3,).
    cell_momenta
        Momenta of the barostat, √(eV amu) Å: (1,), (3,) or (6,) as in `LangevinPiston`; (0,) without one.
    reference_volume_A3
        Volume of the cell at step 0, to which the volume guard compares.
    random_state
        State of the PCG64 random generator, as NumPy gives it.
    """

    step: int
    numbers: np.ndarray
    masses: np.ndarray
    fixed: np.ndarray
    positions: np.ndarray
    momenta: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    cell_momenta: np.ndarray
    reference_volume_A3: float
    random_state: Mapping[str, Any]

    def to_atoms(self) -> Atoms:
        """The configuration with momenta."""
        atoms = Atoms(
            self.numbers,
            positions=self.positions,
            cell=self.cell,
            pbc=self.pbc,
            momenta=self.momenta,
            constraint=FixAtoms(self.fixed) if len(self.fixed) else None,
        )
        if not np.array_equal(atoms.get_masses(), self.masses):
            atoms.set_masses(self.masses)
        atoms.info["step"] = self.step
        return atoms

    def random_generator(self) -> np.random.Generator:
        """A random generator in the stored state."""
        bit_generator = np.random.PCG64()
        bit_generator.state = dict(self.random_state)  # type: ignore[assignment]
        return np.random.Generator(bit_generator)

    def to_dict(self) -> dict[str, Any]:
        """NumPy arrays and plain values that BSON can hold (no integer beyond 64 bits)."""
        state = self.random_state
        return {
            "step": self.step,
            **{name: getattr(self, name).copy() for name in _ARRAYS},
            "reference_volume_A3": self.reference_volume_A3,
            "random_state": {
                "state": hex(state["state"]["state"]),
                "inc": hex(state["state"]["inc"]),
                "has_uint32": state["has_uint32"],
                "uinteger": state["uinteger"],
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Checkpoint:
        """The inverse of `to_dict`; arrays may also be nested lists.

        Raises
        ------
        InputError
            If a field is missing or differs from the form that `to_dict` writes.
        """
        if "barostat" in data:
            data = _of_release_1(data)
        try:
            random = data["random_state"]
            checkpoint = cls(
                step=int(data["step"]),
                **{name: np.array(data[name], dtype=dtype) for name, dtype in _ARRAYS.items()},
                reference_volume_A3=float(data["reference_volume_A3"]),
                random_state={
                    "bit_generator": "PCG64",
                    "state": {"state": int(random["state"], 16), "inc": int(random["inc"], 16)},
                    "has_uint32": int(random["has_uint32"]),
                    "uinteger": int(random["uinteger"]),
                },
            )
        except KeyError as error:
            raise InputError(f"the checkpoint has no field {error}, so no run can resume from it") from None
        except (TypeError, ValueError) as error:
            raise InputError(f"the checkpoint is damaged, so no run can resume from it: {error}") from None
        atom_count = len(checkpoint.numbers)
        if not checkpoint.positions.shape == checkpoint.momenta.shape == (atom_count, 3):
            raise InputError(
                f"the checkpoint has positions of shape {checkpoint.positions.shape} and momenta of shape "
                f"{checkpoint.momenta.shape}, but both must be ({atom_count}, 3)"
            )
        return checkpoint


def _of_release_1(data: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a checkpoint of earlier releases, which stored momentum and force of an isotropic barostat.

    The momentum is that of the present isotropic piston; the force is computed again.
    """
    barostat = data["barostat"] or {}
    momenta = [barostat["momentum"]] if "momentum" in barostat else []
    return {**data, "cell_momenta": momenta}
