"""The report of a screening."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alflow.report import CampaignPage, render_template
from alflow.report.figure import ReportFigure
from alflow.results import ParitySet, read_trained, read_versions
from alflow.states import LabelKind
from alflow.store import Store
from workflows.hull_screening.figures import screening_figures
from workflows.hull_screening.files import write_hull
from workflows.hull_screening.overview import overview
from workflows.hull_screening.reading import read_hull
from workflows.hull_screening.results import PUBLISHED_PERCENT, HullData

TEMPLATE = Path(__file__).with_name("page.html.j2")
FOLDER = "hull"
LABELS_SHOWN = (LabelKind.INITIAL, LabelKind.EXTRAPOLATIVE, LabelKind.VALIDATION)


@dataclass(frozen=True)
class ScreeningPage:
    """The hull, and the results of the stages.

    Attributes
    ----------
    data
    common
        The part that reports of all kinds share; without it, the page has no figure of it but the cost.
    """

    data: HullData
    common: CampaignPage | None = None

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        return self.data.headline

    def summary(self) -> dict[str, Any]:
        """The results in plain values."""
        return self.data.summary()

    def figures(self) -> list[ReportFigure]:
        """All figures: the hull and the work, and those that all campaigns share."""
        common = self.common or CampaignPage(self.data.campaign, [], ParitySet.empty())
        return [*screening_figures(self.data), *common.figures()]

    def render(self, figures_at: str | None = None) -> str:
        """The page as HTML text."""
        return render_template(
            TEMPLATE,
            self.data.campaign,
            self.figures(),
            figures_at,
            data=self.data,
            advice=self.common.advice if self.common else (),
            published=PUBLISHED_PERCENT,
            label_kinds=LABELS_SHOWN,
        )

    def write_files(self, folder: Path) -> list[Path]:
        """Write tables, figure and structures of the hull to a subfolder of `folder`."""
        write_hull(self.data, folder / FOLDER)
        return [folder / FOLDER]


def page(store: Store, name: str) -> ScreeningPage:
    """The report of a finished or running screening.

    Raises
    ------
    InputError
        If there is no campaign of this name, or spglib is not installed.
    """
    data = read_hull(store, name)
    return ScreeningPage(
        data,
        CampaignPage(
            data.campaign,
            read_versions(store, name),
            read_trained(store, name),
            advice=overview(store, store.campaigns.get(name)).advice,
        ),
    )
