"""Moment tensor potentials as a kind of potential."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ase import Atoms

from alflow.potentials.fit_settings import FitSettings
from alflow.potentials.mtp.almtp_file import split_almtp
from alflow.potentials.mtp.fitting import FitProgress, FitResult, fit
from alflow.potentials.mtp.mtp_file import mtp_from_bytes
from alflow.potentials.mtp.potential import MomentTensorPotential
from alflow.potentials.mtp.settings import MTPSettings


class MTPKind:
    """Moment tensor potentials: see `alflow.potentials.protocol.PotentialKind`."""

    Settings = MTPSettings
    suffixes = (".mtp", ".almtp")

    def from_bytes(self, data: bytes, species: Sequence[str] | None, name: str) -> MomentTensorPotential:
        """Parse a `.mtp` file, or the potential of a `.almtp` file."""
        return mtp_from_bytes(split_almtp(data)[0], species, name)

    def fit(
        self,
        structures: Sequence[Atoms],
        *,
        species: Sequence[str],
        form: MTPSettings,
        settings: FitSettings,
        start: MomentTensorPotential | None = None,
        threads: int = 1,
        progress: Callable[[FitProgress], None] | None = None,
    ) -> FitResult:
        """Fit from random starts, or continue from `start` for `refit_iterations`."""
        if start is not None:
            settings = settings.model_copy(update={"max_iterations": settings.refit_iterations, "starts": 1})
        return fit(
            structures,
            species=species,
            form=form,
            settings=settings,
            start=start,
            threads=threads,
            progress=progress,
        )


KIND = MTPKind()
