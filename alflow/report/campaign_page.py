"""The report of any campaign that labels and learns: rounds, errors, labels, cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alflow.report.page import render_template
from alflow.results import CampaignRecord, ParitySet, VersionRecord
from alflow.results.versions import all_unseen, newest_unseen

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
    """

    campaign: CampaignRecord
    versions: Sequence[VersionRecord]
    trained: ParitySet

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        return f"{self.campaign.headline}, {self.campaign.qm_calls} QM calls"

    def summary(self) -> dict[str, Any]:
        """The results in plain values."""
        unseen = newest_unseen(self.versions)
        return self.campaign.summary() | {
            "train_force_rmse_eV_A": self.trained.force_rmse_eV_A,
            "train_energy_rmse_eV_per_atom": self.trained.energy_rmse_eV_per_atom,
            "unseen_force_rmse_eV_A": unseen.force_rmse_eV_A,
            "unseen_energy_rmse_eV_per_atom": unseen.energy_rmse_eV_per_atom,
        }

    def figures(self) -> dict[str, str]:
        """The figures as SVG text, by name."""
        from alflow.report.figures import draw_shared  # Matplotlib loads slowly, and workers do not draw.

        return draw_shared(self.versions, self.trained, self.campaign.cost)

    def render(
        self,
        template: str | Path = TEMPLATE,
        figures: dict[str, str] | None = None,
        **values: Any,
    ) -> str:
        """The page as HTML text.

        Parameters
        ----------
        template
            A template that extends ``campaign.html.j2``.
        figures
            More figures, by name.
        values
            Further values to which the template refers.
        """
        return render_template(
            template,
            self.campaign,
            self.figures() | (figures or {}),
            versions=self.versions,
            trained=self.trained,
            unseen=all_unseen(self.versions),
            newest_unseen=newest_unseen(self.versions),
            **values,
        )

    def write_files(self, folder: Path) -> list[Path]:
        """No files."""
        return []
