"""The page of a report: template, figures and numbers joined in one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import jinja2
import yaml

from alflow.errors import InputError
from alflow.files import write_completely
from alflow.report.filters import FILTERS
from alflow.results.campaign import CampaignRecord

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

    def render(self) -> str:
        """The page as self-contained HTML text."""
        ...

    def write_files(self, folder: Path) -> list[Path]:
        """Write the results that belong in separate files to a folder; return the paths."""
        ...


def build_report(page: Page, path: str | Path) -> Path:
    """Write the report of a campaign as one self-contained file.

    Parameters
    ----------
    page
    path
        The HTML file, replaced if it exists.

    Raises
    ------
    InputError
        If the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    write_completely(path, page.render())
    return path


def render_template(
    template: str | Path, campaign: CampaignRecord, figures: Mapping[str, str], **values: Any
) -> str:
    """A page from a template, which may extend ``base.html.j2`` or ``campaign.html.j2``.

    Parameters
    ----------
    template
        The file, or the name of a template of this package.
    campaign
        The campaign, which the template knows as ``campaign``.
    figures
        SVG text by name.
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
    return environment.get_template(template.name).render(
        campaign=campaign,
        figures={
            name: "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
            for name, svg in figures.items()
        },
        campaign_file=yaml.safe_dump(dict(campaign.config), sort_keys=False, allow_unicode=True),
        **values,
    )
