"""The results of a screening: plain numbers and structures, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alflow.results import CampaignRecord
from alflow.results.wording import spoken_all
from alflow.states import CampaignState, Dropped, LabelKind
from workflows.hull_screening.compounds import Compound
from workflows.hull_screening.phase import Phase

FINAL, TRAINING, POTENTIALS = "final relaxation", "training set", "work with potentials"
PUBLISHED_PERCENT = {FINAL: 90, TRAINING: 9, POTENTIALS: 1}
"""Share of the CPU time, of Gubaev, Podryabinkin, Hart and Shapeev, Comput. Mater. Sci. 156, 148 (2019)."""
QM = "QM"
REASONS = {
    Dropped.UNUSABLE: "not usable",
    Dropped.DUPLICATE: "the same crystal as an earlier one",
    Dropped.NOT_RELAXED: "not relaxed by the potential",
    Dropped.NOT_LABELLED: "cannot be labelled",
    Dropped.ABOVE_HULL: "above the hull",
    Dropped.QM_FAILED: "not relaxed by QM",
}
VERBS = {
    CampaignState.RUNNING: "is running",
    CampaignState.STOPPED: "has stopped",
    CampaignState.FAILED: "has failed",
}


@dataclass(frozen=True)
class EnergySet:
    """Structures at one level: atomic fractions (n, species); energies, eV per atom (n,)."""

    fractions: NDArray[np.float64]
    formation_eV: NDArray[np.float64]
    above_hull_eV: NDArray[np.float64]

    @classmethod
    def empty(cls, species: int) -> EnergySet:
        """A set without structures."""
        return cls(np.zeros((0, species)), np.zeros(0), np.zeros(0))

    @property
    def hull_eV(self) -> NDArray[np.float64]:
        """Height of the hull at each composition, (n,) eV per atom."""
        return self.formation_eV - self.above_hull_eV


@dataclass(frozen=True)
class StageRecord:
    """A stage: its potential, relaxed and kept candidates, and cost.

    Attributes
    ----------
    number
        Number of the stage, from 1.
    potential
        Settings of its potential that differ from those of other stages, or all settings of a single stage;
        as plain values.
    keep_sigmas
        Factor k of the rule that keeps candidates within kσ of the hull.
    window_eV
        Energy window, per atom, that is kept in addition to kσ.
    entered, relaxed, kept
        Numbers of candidates; `kept` is None until the stage is done.
    sigma_eV
        Error of its formation energies, per atom; None until it is measured, or if the measurement failed.
    labels
        Number of the stage's labels for training and validation, by kind.
    relaxation_s, fit_s
        Wall time of the relaxations with its potential, and of its fits.
    """

    number: int
    potential: Mapping[str, Any]
    keep_sigmas: float
    window_eV: float
    entered: int
    relaxed: int
    kept: int | None
    sigma_eV: float | None
    labels: Mapping[LabelKind, int]
    versions: int
    relaxation_s: float
    fit_s: float
    energies: EnergySet

    @property
    def band_eV(self) -> float | None:
        """Distance to the hull up to which candidates were kept, per atom."""
        return None if self.sigma_eV is None else self.window_eV + self.keep_sigmas * self.sigma_eV

    @property
    def potential_text(self) -> str:
        """The potential in words."""
        return spoken_all(self.potential)

    @property
    def rule(self) -> str:
        """The rule by which the band follows from σ."""
        window = f"{1000 * self.window_eV:g} meV + " if self.window_eV else ""
        return f"{window}{self.keep_sigmas:g}σ"


@dataclass(frozen=True)
class FinalRecord:
    """Relaxations by quantum mechanics: `evaluations` are energies with forces, `seconds` wall time."""

    entered: int
    relaxed: int
    failed: int
    evaluations: int
    seconds: float


@dataclass(frozen=True)
class DropRecord:
    """Candidates dropped for one kind of reason; stages count from 1, and the final one follows the last."""

    stage: int
    why: Dropped
    count: int
    example: str

    @property
    def why_text(self) -> str:
        """The reason in words."""
        return REASONS[self.why]


@dataclass(frozen=True)
class WorkRecord:
    """A share of the work: wall time, and QM energies with forces; a relaxation takes many of these."""

    what: str
    seconds: float
    evaluations: int


@dataclass(frozen=True)
class HullData:
    """All results of a finished or running screening.

    Attributes
    ----------
    campaign
    phase, stage
        Present phase and stage; stages count from 0.
    hull_of
        Source of the energies: "QM", or the potential of a stage while there is no hull of QM energies yet;
        None while there is no hull at all.
    compounds
        Crystals on the hull and up to `window_eV` per atom above it; stable ones first, then by distance.
    complete_eV
        Distance to the hull up to which the stages kept all candidates that they could not rule out; above
        it, metastable crystals may be missing.
    energies
        All structures with an energy from that source.
    symmetry_tolerance_A
        Tolerance of positions for the space groups.
    """

    campaign: CampaignRecord
    phase: Phase
    stage: int
    window_eV: float
    complete_eV: float
    symmetry_tolerance_A: float
    hull_of: str | None
    compounds: Sequence[Compound]
    energies: EnergySet
    stages: Sequence[StageRecord]
    final: FinalRecord
    dropped: Sequence[DropRecord]
    work: Sequence[WorkRecord]

    @property
    def species(self) -> Sequence[str]:
        """The species, in the order of the fractions."""
        return self.campaign.species

    @property
    def stable(self) -> list[Compound]:
        """The crystals on the hull, in the order of composition."""
        on_hull = [compound for compound in self.compounds if compound.stable]
        return sorted(on_hull, key=lambda compound: compound.fractions, reverse=True)

    @property
    def note(self) -> str | None:
        """A note if this is not the final hull."""
        if self.campaign.state == CampaignState.FINISHED:
            return None
        where = str(self.phase) if self.phase == Phase.FINAL else f"{self.phase}, stage {self.stage + 1}"
        known = "there is no hull yet" if self.hull_of is None else f"the hull is of {self.hull_of} so far"
        return (
            f"the campaign {VERBS[self.campaign.state]} ({where}): {known}; "
            f"{self.final.relaxed} of {self.final.entered} relaxations by QM are done"
        )

    @property
    def evaluations(self) -> int:
        """Number of QM energies with forces, over all work."""
        return sum(share.evaluations for share in self.work)

    def share_percent(self, share: WorkRecord) -> tuple[float | None, float | None]:
        """Shares of a kind of work in time and in QM evaluations, in percent; None if not known yet."""
        seconds = sum(each.seconds for each in self.work)
        return (
            100 * share.seconds / seconds if seconds else None,
            100 * share.evaluations / self.evaluations if self.evaluations else None,
        )

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        found = (
            f"{len(self.stable)} crystals on the hull of {self.hull_of}" if self.hull_of else "no hull yet"
        )
        return f"{self.campaign.headline}: {found}"

    def summary(self) -> dict[str, Any]:
        """The results in plain values."""
        return self.campaign.summary() | {
            "note": self.note,
            "species": list(self.species),
            "hull_of": self.hull_of,
            "window_eV_per_atom": self.window_eV,
            "complete_eV_per_atom": self.complete_eV,
            "symmetry_tolerance_A": self.symmetry_tolerance_A,
            "structures": len(self.energies.formation_eV),
            "compounds": [
                compound.row(self.species) | {"same_crystal": list(compound.same)}
                for compound in self.compounds
            ],
            "stages": [
                {key: value for key, value in vars(stage).items() if key != "energies"}
                for stage in self.stages
            ],
            "final": asdict(self.final),
            "dropped": [asdict(dropped) for dropped in self.dropped],
            "work": [asdict(share) for share in self.work],
        }
