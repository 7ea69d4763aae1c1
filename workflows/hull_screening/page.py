"""The report of a screening."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alflow.report import render_template
from alflow.report.figures import draw_cost
from alflow.states import LabelKind
from alflow.store import Store
from workflows.hull_screening.figures import draw_screening
from workflows.hull_screening.files import write_hull
from workflows.hull_screening.reading import read_hull
from workflows.hull_screening.results import PUBLISHED_PERCENT, HullData

TEMPLATE = Path(__file__).with_name("page.html.j2")
FOLDER = "hull"
LABELS_SHOWN = (LabelKind.INITIAL, LabelKind.EXTRAPOLATIVE, LabelKind.VALIDATION)


@dataclass(frozen=True)
class ScreeningPage:
    """The hull, and the results of the stages."""

    data: HullData

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        return self.data.headline

    def summary(self) -> dict[str, Any]:
        """The results in plain values."""
        return self.data.summary()

    def render(self) -> str:
        """The page as HTML text."""
        campaign = self.data.campaign
        return render_template(
            TEMPLATE,
            campaign,
            draw_screening(self.data) | draw_cost(campaign.cost),
            data=self.data,
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
    return ScreeningPage(read_hull(store, name))
