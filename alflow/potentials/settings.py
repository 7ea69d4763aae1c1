"""Base class of the settings of all kinds of potentials."""

from __future__ import annotations

from pydantic import Field

from alflow.settings import Section


class PotentialSettings(Section):
    """The form of a potential. Each kind adds its own keys."""

    kind: str = Field(description="kind of potential")
