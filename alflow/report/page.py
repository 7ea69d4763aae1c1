"""The page of a report: template, figures and numbers joined in one HTML file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import jinja2
import yaml

from alflow.errors import InputError
from alflow.files import write_completely
from alflow.report.figure import ReportFigure
from alflow.report.filters import FILTERS
from alflow.results.campaign import CampaignRecord
from alflow.results.levels import level_rows

TEMPLATES = Path(__file__).parent


class Page(Protocol):
    """The report of a campaign of any kind."""

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        ...

    def summary(self) -> dict[str, Any]:
        """The results in plain values."""
        ...

    def figures(self) -> list[ReportFigure]:
        """All figures of the page, without those that have no data."""
        ...

    def render(self, figures_at: str | None = None) -> str:
        """The page as self-contained HTML text.

        Parameters
        ----------
        figures_at
            Folder of the files of the figures, relative to the page, which then links to them.
        """
        ...

    def write_files(self, folder: Path) -> list[Path]:
        """Write the results that belong in separate files to a folder; return the paths."""
        ...


def build_report(page: Page, path: str | Path, figures: str | Path | None = None) -> Path:
    """Write the report of a campaign as one self-contained file.

    Parameters
    ----------
    page
    path
        The HTML file, replaced if it exists.
    figures
        Folder for each figure as PNG, SVG and CSV, which is made if it does not exist. The page then links
        to these files.

    Raises
    ------
    InputError
        If the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    if figures is None:
        write_completely(path, page.render())
        return path
    folder = Path(figures)
    folder.mkdir(parents=True, exist_ok=True)
    for figure in page.figures():
        figure.write(folder)
    at = Path(os.path.relpath(folder, path.parent)).as_posix()
    write_completely(path, page.render(at))
    return path


def render_template(
    template: str | Path,
    campaign: CampaignRecord,
    figures: Sequence[ReportFigure],
    figures_at: str | None = None,
    **values: Any,
) -> str:
    """A page from a template, which may extend ``base.html.j2`` or ``campaign.html.j2``.

    Parameters
    ----------
    template
        The file, or the name of a template of this package.
    campaign
        The campaign, which the template knows as ``campaign``.
    figures
        The template shows each by its name.
    figures_at
        Folder of the files of the figures, relative to the page; None if they are not written.
    values
        Further values to which the template refers.
    """
    template = TEMPLATES / template
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, TEMPLATES]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= FILTERS
    options = campaign.config.get("qm", {}).get("options", {})
    return environment.get_template(template.name).render(
        campaign=campaign,
        figures={figure.name: figure for figure in figures},
        figures_at=figures_at,
        levels=[level_rows(level, options, campaign.species) for level in campaign.levels],
        campaign_file=yaml.safe_dump(dict(campaign.config), sort_keys=False, allow_unicode=True),
        **values,
    )
