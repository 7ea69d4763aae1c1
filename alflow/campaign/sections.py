"""Sections that campaign files of all kinds share."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from alflow.settings import Name, Section


class Selection(Section):
    """Extrapolation grades and what is labelled."""

    mode: Literal["neighborhood", "configuration"] = Field(
        default="neighborhood", description="grade of each atom's neighborhood, or of the whole configuration"
    )
    gamma_save: float = Field(
        default=2.1, ge=1, le=1000, description="frames above this grade are candidates"
    )
    gamma_break: float = Field(default=10.0, ge=1, le=10_000, description="a run pauses above this grade")
    labels_per_round: int = Field(default=5, ge=1, le=1000, description="labels bought per round, at most")

    @model_validator(mode="after")
    def _grades_in_order(self) -> Selection:
        if self.gamma_break < self.gamma_save:
            raise ValueError(
                f"gamma_break = {self.gamma_break:g} must not be below gamma_save = {self.gamma_save:g}"
            )
        return self


class Limits(Section):
    """What a converged label must satisfy to be trained on."""

    max_force_eV_A: float = Field(default=50.0, ge=0.1, le=1000, description="largest force on an atom, eV/Å")
    max_net_force_eV_A: float = Field(
        default=0.05, gt=0, le=100, description="length of the mean force, eV/Å"
    )
    min_distance_A: float = Field(default=0.7, ge=0.1, le=5, description="closest pair of atoms, Å")
    energy_outlier_score: float = Field(
        default=20.0,
        ge=3,
        le=1e6,
        description="robust z-score of the energy per atom among the labels so far",
    )
    energy_scale_floor_eV: float = Field(
        default=0.02, gt=0, le=10, description="least spread of energies assumed in that score, eV per atom"
    )
    volume_outlier_score: float = Field(
        default=15.0,
        ge=3,
        le=1e6,
        description="robust z-score of the logarithm of the volume per atom among the labels so far; "
        "15 lets a factor of 4 pass, raise it for vacuum",
    )


class QM(Section):
    """The quantum-mechanical code that labels."""

    interface: Name = Field(description="name of the interface, e.g. ase or mock")
    options: dict[str, Any] = Field(default={}, description="the interface's own options")
    timeout_s: float = Field(
        default=3600.0, ge=0.1, le=10_000_000, description="limit of the first attempt, s"
    )
    retries: int = Field(default=2, ge=0, le=10, description="further attempts, each with twice the time")
    memory_limit_GB: float | None = Field(
        default=None, ge=0.1, le=100_000, description="memory of all processes of a label together, 10⁹ bytes"
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="labels of this interface that run at a time, over all workers and campaigns of the "
        "database; default: as many as there are workers",
    )
    keep: Literal["none", "failed", "all"] = Field(
        default="failed",
        description="labels whose folder is kept, compressed: none, failed and rejected ones, or all",
    )
    limits: Limits = Field(default=Limits(), description="checks of a converged label")


class Budget(Section):
    """What a campaign may use before it ends unfinished."""

    max_rounds: int = Field(default=200, ge=1, le=100_000, description="rounds")
    max_labels: int = Field(default=10_000, ge=1, le=10_000_000, description="finished labels")
    max_cpu_hours: float | None = Field(default=None, gt=0, le=1e8, description="time spent by all tasks, h")
    barren_rounds: int = Field(
        default=3, ge=1, le=100, description="give up after so many rounds without a label"
    )
