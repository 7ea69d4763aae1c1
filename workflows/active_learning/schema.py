"""The campaign file of active learning: explorers that run until the potential extrapolates too far."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from alflow.campaign.kinds import CampaignSettings, require_unique
from alflow.campaign.sections import Budget, Selection
from alflow.explorers import AnyExplorer
from alflow.potentials.fit_settings import FitSettings
from alflow.potentials.registry import AnyPotential
from alflow.selection.random_frames import Validation
from alflow.settings import Symbol
from alflow.structures.displaced import Displacements
from alflow.structures.label_names import LabelKeys
from alflow.structures.starting import Structure
from workflows.stop_rules import VALIDATION_FRAMES


class Initial(Displacements):
    """Training set of the first potential: a labelled file, or displaced and strained start structures."""

    file: str | None = Field(default=None, description="labelled structures (extended XYZ); default: none")
    keys: LabelKeys = Field(
        default=LabelKeys(), description="names of the labels in `file`; by default they are found"
    )
    energy_shift_eV: dict[Symbol, float] = Field(
        default={},
        description="added to the energies of `file` for each atom of an element, eV, if they have another "
        "reference than those of `qm`; `alflow check` finds it",
    )
    isolated_atoms: bool = Field(
        default=False,
        description="whether the QM code computes one isolated atom of each element, whose energies the "
        "potential then has exactly; spins are those of `qm.options`",
    )


class Stop(Budget):
    """Rules that end the campaign before its explorers end."""

    force_rmse_change_eV_A: float | None = Field(
        default=None,
        gt=0,
        le=10,
        description="end when the training force RMSE changes by less than this in three rounds, eV/Å",
    )
    validation_force_rmse_eV_A: float | None = Field(
        default=None,
        gt=0,
        le=10,
        description="end when the upper end of the interval of the validation force RMSE is below this, on "
        f"at least {VALIDATION_FRAMES} frames, eV/Å",
    )
    quiet_rounds: int = Field(
        default=0,
        ge=0,
        le=100,
        description="repeat the finished explorers until this number of passes finds nothing new",
    )


class ActiveLearning(CampaignSettings):
    """A campaign: system, potential, explorers, QM code, and rules to stop."""

    kind: Literal["active-learning"] = Field(
        default="active-learning", description="explorers under grade control, labels and refits in turn"
    )
    structures: list[Structure] = Field(default=[], description="starting structures")
    potential: AnyPotential = Field(description="form of the potential")
    explorers: list[AnyExplorer] = Field(min_length=1, description="methods that move the atoms")
    selection: Selection = Field(default=Selection(), description="grades and selection")
    fit: FitSettings = Field(default=FitSettings(), description="weights and settings of the fit")
    initial: Initial = Field(default=Initial(), description="source of the first training data")
    validation: Validation = Field(default=Validation(), description="labels that measure the error")
    stop: Stop = Field(default=Stop(), description="stop rules")

    @model_validator(mode="after")
    def _consistent(self) -> ActiveLearning:
        if self.initial.isolated_atoms and self.fit.isolated_atoms_eV:
            raise ValueError("give either fit.isolated_atoms_eV or initial.isolated_atoms, not both")
        known = [structure.name for structure in self.structures]
        require_unique("structure", known)
        require_unique("explorer", [explorer.name for explorer in self.explorers])
        for explorer in self.explorers:
            for name in explorer.structure_names():
                if name not in known:
                    raise ValueError(
                        f"explorer {explorer.name!r} starts from structure {name!r}, which is not among "
                        f"the structures {', '.join(sorted(known))}"
                    )
        limit = self.stop.validation_force_rmse_eV_A
        if limit is not None and self.validation.labels < VALIDATION_FRAMES:
            raise ValueError(
                f"stop.validation_force_rmse_eV_A is {limit:g}, but validation.labels is "
                f"{self.validation.labels}; the rule needs at least {VALIDATION_FRAMES} validation labels"
            )
        return self

    def resolved(self, folder: Path) -> ActiveLearning:
        """A copy in which relative paths are resolved against this folder."""
        structures = [
            s if s.file is None else s.model_copy(update={"file": str(folder / s.file)})
            for s in self.structures
        ]
        initial = self.initial
        if initial.file is not None:
            initial = initial.model_copy(update={"file": str(folder / initial.file)})
        explorers = [explorer.resolved(folder) for explorer in self.explorers]
        return self.model_copy(update={"structures": structures, "initial": initial, "explorers": explorers})

    def files(self) -> list[tuple[str, str]]:
        """Pairs of a field and the file that it names."""
        named = [("initial.file", self.initial.file)]
        named += [(f"structure {s.name!r}", s.file) for s in self.structures]
        named += [(f"explorer {e.name!r}", file) for e in self.explorers for file in e.paths()]
        return [(field, file) for field, file in named if file is not None]
