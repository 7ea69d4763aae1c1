"""The page of a report: template, figures and numbers joined in one HTML file."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import jinja2
import yaml

from alflow.errors import InputError
from alflow.report.data import ReportData
from alflow.report.figures import draw_all
from alflow.report.hull_data import PUBLISHED_PERCENT, HullData
from alflow.report.hull_figures import draw_hull, with_subscripts


def build_report(data: ReportData | HullData, path: str | Path) -> Path:
    """Write the report of a campaign: one file without any reference to others.

    Parameters
    ----------
    data
        From `gather` or `gather_hull`, or made by hand.
    path
        The HTML file, replaced if it exists.

    Raises
    ------
    InputError
        The folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    path.write_text(render(data), encoding="utf-8")
    return path


def render(data: ReportData | HullData) -> str:
    """The report as HTML text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": _number,
        "duration": _duration,
        "json": _json,
        "formula": with_subscripts,
        "meV": _meV,
    }
    if isinstance(data, HullData):
        template, drawn = "hull_page.html.j2", draw_hull(data)
    else:
        template, drawn = "page.html.j2", draw_all(data)
    figures = {
        name: "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
        for name, svg in drawn.items()
    }
    return environment.get_template(template).render(
        data=data,
        figures=figures,
        campaign_file=yaml.safe_dump(dict(data.config), sort_keys=False, allow_unicode=True),
        published=PUBLISHED_PERCENT,
    )


def _number(value: float | None, digits: int = 3) -> str:
    """So many significant digits, whole numbers whole, thousands apart; a dash for None and NaN."""
    if value is None or not math.isfinite(value):
        return "–"
    if isinstance(value, int) or value == 0 or abs(value) >= 10**digits:
        return f"{value:,.0f}".replace(",", "\u202f")
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def _duration(seconds: float | None) -> str:
    if seconds is None or not math.isfinite(seconds):
        return "–"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{_number(seconds / size, 2)} {unit}"
    return f"{_number(seconds, 2)} s"


def _meV(value_eV: float | None) -> str:
    return "–" if value_eV is None else f"{1000 * value_eV:.1f}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
