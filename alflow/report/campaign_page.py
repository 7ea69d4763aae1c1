"""The report of any campaign that labels and learns: rounds, errors, labels, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alflow.potentials.dimer import DimerCurve
from alflow.potentials.estimates import EstimatedErrors
from alflow.report.figure import ReportFigure
from alflow.report.page import render_template
from alflow.results import CampaignRecord, Coverage, PairDistances, ParitySet, VersionRecord
from alflow.results.advice import Advice, as_dicts
from alflow.results.methods import Methods
from alflow.results.versions import newest_unseen
from alflow.states import LabelKind

TEMPLATE = "campaign.html.j2"


@dataclass(frozen=True)
class CampaignPage:
    """The common part of reports of all kinds; it is a complete report for a kind that adds nothing.

    Attributes
    ----------
    campaign
    versions
        Versions of the potential, oldest first.
    trained
        The newest version, compared with its own training labels.
    coverage
        Distances in the training set and in visited structures; None if unknown.
    rdfs
        Distances over the trajectory of each run, by the name of the run.
    advice
    methods
        The methods paragraph; None for kinds without.
    dimers
        Energies of dimers of each pair of species, of the newest version.
    gamma_break
        Threshold of the extrapolation grade at which runs pause; None for kinds without.
    """

    campaign: CampaignRecord
    versions: Sequence[VersionRecord]
    trained: ParitySet
    coverage: Coverage | None = None
    rdfs: Mapping[str, Sequence[PairDistances]] = field(default_factory=dict)
    advice: Sequence[Advice] = ()
    methods: Methods | None = None
    dimers: Sequence[DimerCurve] = ()
    gamma_break: float | None = None

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        found = f"{self.campaign.headline}, {self.campaign.qm_calls} QM calls"
        if self.validation is None:
            return found
        return f"{found}, validation {self.validation.force_rmse_eV_A.in_words()} eV/Å"

    @property
    def validation(self) -> EstimatedErrors | None:
        """Validation error of the newest version; None without, or with too few frames."""
        return self.versions[-1].judged_validation if self.versions else None

    def summary(self) -> dict[str, Any]:
        """The results in plain values."""
        unseen = newest_unseen(self.versions)
        return self.campaign.summary() | {
            "advice": as_dicts(self.advice),
            "validation": None if self.validation is None else self.validation.as_dict(),
            "train_force_rmse_eV_A": self.trained.force_rmse_eV_A,
            "train_energy_rmse_eV_per_atom": self.trained.energy_rmse_eV_per_atom,
            "unseen_force_rmse_eV_A": unseen.force_rmse_eV_A,
            "unseen_energy_rmse_eV_per_atom": unseen.energy_rmse_eV_per_atom,
        }

    def figures(self) -> list[ReportFigure]:
        """The figures, without those that have no data."""
        from alflow.report.shared_figures import shared_figures  # Matplotlib loads slowly.

        return shared_figures(self)

    def render(
        self,
        figures_at: str | None = None,
        template: str | Path = TEMPLATE,
        figures: Sequence[ReportFigure] = (),
        **values: Any,
    ) -> str:
        """The page as HTML text.

        Parameters
        ----------
        figures_at
            Folder of the files of the figures, relative to the page, which then links to them.
        template
            A template that extends ``campaign.html.j2``.
        figures
            More figures.
        values
            Further values to which the template refers.
        """
        return render_template(
            template,
            self.campaign,
            [*figures, *self.figures()],
            figures_at,
            advice=self.advice,
            methods=self.methods,
            versions=self.versions,
            trained=self.trained,
            validation=self.validation,
            held_out=sum(label.kind == LabelKind.VALIDATION for label in self.campaign.labels),
            newest_unseen=newest_unseen(self.versions),
            **values,
        )

    def write_files(self, folder: Path) -> list[Path]:
        """No files."""
        return []
