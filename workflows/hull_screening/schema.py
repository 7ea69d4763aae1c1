"""The campaign file of a convex-hull screening: candidates, stages, final relaxations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from alflow.campaign.kinds import CampaignSettings
from alflow.campaign.sections import Budget, Selection
from alflow.hull import PARENTS
from alflow.potentials.fit_settings import FitSettings
from alflow.potentials.registry import AnyPotential
from alflow.settings import Section, Symbol
from alflow.simulation import Relaxation
from alflow.structures.displaced import Displacements

Volume = Annotated[float, Field(ge=1, le=200)]


class Source(Section):
    """A source of candidates: derivative structures of a lattice, files, prototypes, or random crystals."""

    lattice: str | None = Field(
        default=None,
        description="all orderings of the species on this lattice: fcc, bcc, hcp, sc, diamond, or a file",
    )
    files: str | None = Field(
        default=None, description="or the structures of a file, or of all files of a folder"
    )
    prototypes: list[str] | None = Field(
        default=None, description="or these structure types, decorated in all ways; [] for all known ones"
    )
    random: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="or this number of random crystals with random space groups",
    )
    min_atoms: int = Field(
        default=1, ge=1, le=40, description="smallest number of atoms in the primitive cell of orderings"
    )
    max_atoms: int = Field(
        default=6,
        ge=1,
        le=40,
        description="largest number of atoms in the primitive cell of orderings and random crystals",
    )
    seed: int = Field(default=0, ge=0, description="seed of random crystals")

    @model_validator(mode="after")
    def _one_kind(self) -> Source:
        kinds = ("lattice", "files", "prototypes", "random")
        if sum(getattr(self, kind) is not None for kind in kinds) != 1:
            raise ValueError(f"needs exactly one of {', '.join(f'`{kind}`' for kind in kinds)}")
        if self.lattice is not None and self.lattice.lower() in PARENTS and self.lattice not in PARENTS:
            raise ValueError(f"lattice is {self.lattice!r}, write {self.lattice.lower()}")
        if self.min_atoms > self.max_atoms:
            raise ValueError(f"min_atoms = {self.min_atoms} must not exceed max_atoms = {self.max_atoms}")
        return self

    @property
    def path(self) -> str | None:
        """The file or folder that the source names, if any."""
        return self.files if self.lattice in (None, *PARENTS) else self.lattice

    @property
    def path_key(self) -> str:
        """The key that may hold a path."""
        return "lattice" if self.files is None else "files"

    def resolved(self, folder: Path) -> Source:
        """A copy whose relative path is resolved against this folder."""
        return self if self.path is None else self.model_copy(update={self.path_key: str(folder / self.path)})


class Screen(Section):
    """Relaxation of candidates with a potential, and the guards that drop a candidate."""

    relaxation: Relaxation = Field(default=Relaxation(), description="when a relaxation is done")
    max_volume_change: float = Field(
        default=0.5,
        ge=0.01,
        le=10,
        description="a candidate is dropped if its relative change of volume exceeds this",
    )
    min_distance_A: float = Field(
        default=1.0, ge=0.1, le=5, description="a candidate is dropped if two atoms come closer than this, Å"
    )
    pressure_GPa: float = Field(default=0.0, ge=-50, le=1000, description="target pressure, GPa")
    chunk: int = Field(default=2000, ge=1, le=100_000, description="candidates that one firework relaxes")
    first_sample: int = Field(
        default=500,
        ge=1,
        le=1_000_000,
        description="candidates in a stage's first round; each round takes twice as many as the round before",
    )


class Stage(Section):
    """A stage: its potential relaxes all its candidates, and those near the hull are kept."""

    potential: AnyPotential = Field(description="form of the stage's potential")
    fit: FitSettings = Field(default=FitSettings(), description="weights and settings of its fit")
    selection: Selection = Field(default=Selection(labels_per_round=20), description="grades and selection")
    validation: int = Field(
        default=30,
        ge=5,
        le=10_000,
        description="relaxed candidates that are labelled to measure the error σ, and left out of training",
    )
    sigma_floor_eV: float = Field(
        default=1e-4,
        ge=0,
        le=1,
        description="smallest σ assumed, because relaxations end at small forces, eV per atom",
    )
    keep_sigmas: float = Field(
        default=4.0, gt=0, le=100, description="candidates within this multiple of σ of the hull are kept"
    )


class Final(Section):
    """The relaxation by quantum mechanics; its energies define the hull."""

    relaxation: Relaxation = Field(default=Relaxation(), description="when a relaxation is done")
    timeout_s: float = Field(
        default=86_400.0,
        ge=0.1,
        le=10_000_000,
        description="time limit of the first attempt of a relaxation, s",
    )
    per_round: int = Field(default=200, ge=1, le=10_000, description="QM relaxations of one workflow")
    metastable_eV: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="energy window that is kept in addition to kσ, for metastable structures, eV per atom",
    )


class Screening(CampaignSettings):
    """A screening: candidate crystals, the stages that sift them, and the final relaxations by QM."""

    kind: Literal["hull-screening"] = Field(
        default="hull-screening", description="the convex hull of very many candidate crystals"
    )
    candidates: list[Source] = Field(min_length=1, description="sources of the candidates")
    volumes_A3: dict[Symbol, Volume] | None = Field(
        default=None,
        description="volume per atom of each element, Å³, mixed by Vegard's law for lattices and "
        "prototypes; default: volumes of ASE's reference states",
    )
    volume_factors: list[Annotated[float, Field(ge=0.2, le=5)]] = Field(
        default=[1.0],
        min_length=1,
        description="each candidate that is not from a file is made at its volume times each of these",
    )
    stages: list[Stage] = Field(min_length=1, max_length=10, description="from the coarsest to the finest")
    screen: Screen = Field(default=Screen(), description="how candidates are relaxed with a potential")
    final: Final = Field(default=Final(), description="the relaxation by quantum mechanics")
    initial: Displacements = Field(
        default=Displacements(count=30, displacement_A=0.05),
        description="random candidates that the first potential is fitted to",
    )
    stop: Budget = Field(default=Budget(), description="limits at which the campaign ends unfinished")

    @model_validator(mode="after")
    def _consistent(self) -> Screening:
        if self.volumes_A3 is not None and set(self.volumes_A3) != set(self.species):
            raise ValueError(
                f"volumes_A3 is given for {', '.join(self.volumes_A3)}, "
                f"it must be for {', '.join(self.species)}"
            )
        return self

    def resolved(self, folder: Path) -> Screening:
        """A copy in which relative paths are resolved against this folder."""
        return self.model_copy(update={"candidates": [source.resolved(folder) for source in self.candidates]})

    def files(self) -> list[tuple[str, str]]:
        """Pairs of a field and the file that it names."""
        return [
            (f"candidates[{i}].{source.path_key}", source.path)
            for i, source in enumerate(self.candidates)
            if source.path is not None
        ]
