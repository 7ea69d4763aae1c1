"""What rules of advice know about a campaign, and what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alflow.potentials.estimates import Estimate
from alflow.results.labels import LabelRecord
from alflow.results.rounds import RoundRecord
from alflow.results.validation import FEWEST_FRAMES, ValidationRecord
from alflow.states import CampaignState, LabelKind, LabelProblem, Role
from alflow.store.cost import Cost


class Rule(StrEnum):
    """The rule that an advice comes from."""

    LABELS_TIME_OUT = "labels time out"
    LABELS_NEED_MEMORY = "labels need memory"
    LABELS_DO_NOT_CONVERGE = "labels do not converge"
    CODE_MISSING = "QM code missing"
    WRONG_SETTINGS = "QM settings wrong"
    ENERGY_REFERENCE = "energy reference"
    SAME_REASON = "one reason for all"
    ALL_REFUSED = "all candidates refused"
    NOTHING_LEARNED = "nothing learned"
    LABELS_WAIT = "labels wait"
    EXPLORING_DOMINATES = "exploring dominates"
    QM_DOMINATES = "QM dominates"
    TRAINING_ERROR_RISES = "training error rises"
    UNLIKE_TRAINING = "validation far above training"
    ERROR_FLOOR = "error floor"
    FEW_LABELS = "few labels"
    SHORT_DISTANCES = "short distances"
    NO_VALIDATION = "no validation"


@dataclass(frozen=True)
class Advice:
    """An advice: what was found, and what to do, a sentence each."""

    rule: Rule
    finding: str
    action: str

    @property
    def text(self) -> str:
        """Both sentences in one line."""
        return f"{self.finding}; {self.action}"


@dataclass(frozen=True)
class FitFacts:
    """The newest potential.

    Attributes
    ----------
    parameters
        Number of its parameters.
    lower_end_A
        Lower end of its radial functions; None for potentials without.
    core
        Whether it has a repulsive core at short distances.
    """

    parameters: int
    lower_end_A: float | None = None
    core: bool = False


@dataclass(frozen=True)
class Shortest:
    """Shortest distances between atoms in the training set and in visited structures, Å."""

    trained_A: float
    visited_A: float


@dataclass(frozen=True)
class Facts:
    """The input of the rules.

    Attributes
    ----------
    state
    labels
    rounds
        Oldest first.
    cost
        By role.
    qm
        The campaign's section `qm`, as plain values.
    gamma_save
        Threshold above which frames are candidates; None if the campaign has no runs of explorers.
    explored_steps
        Steps of all runs.
    validation
        The newest validation error; None without.
    validation_labels
        `validation.labels` of the campaign; None for kinds without this section.
    fit
        The newest potential; None before the first fit.
    shortest
        Shortest distances between atoms; None if nobody has looked.
    """

    state: CampaignState
    labels: Sequence[LabelRecord] = ()
    rounds: Sequence[RoundRecord] = ()
    cost: Mapping[Role, Cost] = field(default_factory=dict)
    qm: Mapping[str, Any] = field(default_factory=dict)
    gamma_save: float | None = None
    explored_steps: int = 0
    validation: ValidationRecord | None = None
    validation_labels: int | None = None
    fit: FitFacts | None = None
    shortest: Shortest | None = None

    @property
    def trend(self) -> list[tuple[float, float]]:
        """Training and validation force error of the rounds that have both, oldest first."""
        return [
            (row.force_rmse_eV_A, row.validation_force_rmse_eV_A)
            for row in self.rounds
            if row.force_rmse_eV_A is not None and row.validation_force_rmse_eV_A is not None
        ]

    @property
    def newest_errors(self) -> tuple[float, Estimate] | None:
        """Training and validation force error of the newest version; None if either says nothing."""
        trained = [row.force_rmse_eV_A for row in self.rounds if row.force_rmse_eV_A is not None]
        if self.validation is None or self.validation.errors.frames < FEWEST_FRAMES or not trained:
            return None
        return trained[-1], self.validation.errors.force_rmse_eV_A

    @property
    def computed(self) -> list[LabelRecord]:
        """Labels that QM has ended, accepted or not; imported ones are left out."""
        return [label for label in self.labels if label.state.is_ended and label.kind != LabelKind.IMPORTED]

    def having(self, problem: LabelProblem) -> list[LabelRecord]:
        """Computed labels with this problem."""
        return [label for label in self.computed if label.problem == problem]
