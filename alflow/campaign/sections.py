"""Sections that campaign files of all kinds share."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from alflow.selection import Mode
from alflow.settings import Name, Section
from alflow.simulation.settings import GradeControl
from qm_interfaces import LabelLimits


class Selection(GradeControl):
    """Extrapolation grades, and the choice of labels."""

    mode: Mode = Field(
        default="neighborhood", description="grade of each atom's neighborhood, or of the whole configuration"
    )
    labels_per_round: int = Field(default=5, ge=1, le=1000, description="largest number of labels per round")


class QM(Section):
    """The quantum-mechanical code that computes labels."""

    interface: Name = Field(description="name of the interface, e.g. ase or mock")
    options: dict[str, Any] = Field(default={}, description="the interface's own options")
    timeout_s: float = Field(
        default=3600.0, ge=0.1, le=10_000_000, description="time limit of the first attempt, s"
    )
    retries: int = Field(default=2, ge=0, le=10, description="further attempts, each with twice the time")
    memory_limit_GB: float | None = Field(
        default=None,
        ge=0.1,
        le=100_000,
        description="memory limit of all processes of a label together, 10⁹ bytes",
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="largest number of labels of this interface that run at a time, over all workers and "
        "campaigns of the database; default: as many as there are workers",
    )
    keep: Literal["none", "failed", "all"] = Field(
        default="failed",
        description="labels whose folder is kept, compressed: none, failed and rejected ones, or all",
    )
    limits: LabelLimits = Field(default=LabelLimits(), description="checks of a converged label")


class Budget(Section):
    """Limits at which a campaign ends unfinished."""

    max_rounds: int = Field(default=200, ge=1, le=100_000, description="largest number of rounds")
    max_labels: int = Field(
        default=10_000, ge=1, le=10_000_000, description="largest number of finished labels"
    )
    max_cpu_hours: float | None = Field(
        default=None, gt=0, le=1e8, description="largest processor time of the work, h"
    )
    barren_rounds: int = Field(
        default=3,
        ge=1,
        le=100,
        description="the campaign fails after this number of rounds in a row without a label",
    )
