"""Moment tensor potentials."""

from __future__ import annotations

from typing import Any

from alflow.potentials.mtp.fitting import fit
from alflow.potentials.mtp.mtp_file import mtp_from_text
from alflow.potentials.mtp.settings import MTPSettings


class MTPKind:
    """The kind."""

    Settings = MTPSettings
    suffixes = (".mtp",)

    def from_bytes(self, data: bytes, species: Any, name: str) -> Any:
        return mtp_from_text(data.decode(), species, name)

    def fit(self, structures: Any, *, species: Any, form: Any, settings: Any, start: Any = None, threads: int = 1, progress: Any = None) -> Any:
        if start is not None:
            settings = settings.model_copy(update={"max_iterations": settings.refit_iterations, "starts": 1})
        return fit(structures, species=species, form=form, settings=settings, start=start, threads=threads)


KIND = MTPKind()
