from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from synthetic import synthetic_band, synthetic_report, synthetic_run

from alflow.errors import InputError
from alflow.report import CampaignPage, Page, build_report
from alflow.report.filters import duration, number
from alflow.report.style import POINTS, STYLE, peaks
from alflow.results import Cost, ParitySet, RunRecord
from alflow.results.versions import all_unseen
from alflow.states import CampaignState, Role
from workflows.active_learning.figures import calls_figure, columns_figure

VOID = {"meta", "img", "br", "link", "input", "hr"}


class _Balance(HTMLParser):
    """Collects texts and sources, and sees that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def pages(page: Page) -> _Balance:
    """The page, read; every tag is closed and every picture is in the file."""
    found = _Balance()
    text = page.render()
    found.feed(text)
    assert found.open == []
    assert all(source.startswith("data:image/svg+xml;base64,") for source in found.sources)
    assert not re.search(r"https?://", text)
    return found


@pytest.mark.parametrize("runs", [1, 8])
def test_the_page_is_whole_and_needs_nothing_else(tmp_path: Path, runs: int) -> None:
    page = synthetic_report(runs)
    assert len(pages(page).sources) == 6
    text = build_report(page, tmp_path / "report.html").read_text()
    assert "SCF did not converge in 200 steps" in text
    assert "largest force 81.2 eV/Å is above the limit 50" in text
    campaign = page.common.campaign
    assert f"{campaign.qm_calls}</b><span>QM calls, {campaign.label_states['done']} accepted" in text


def drawn(page: Page) -> dict[str, str]:
    return {figure.name: figure.svg for figure in page.figures()}


def test_figures_are_small_and_the_same_for_the_same_data() -> None:
    figures = drawn(synthetic_report())
    assert figures == drawn(synthetic_report())
    assert set(figures) == {"calls", "grade", "columns-md", "error", "parity", "cost"}
    for svg in figures.values():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert len(svg) < 500_000


def columns(*runs: RunRecord) -> Figure:
    with rc_context(STYLE):
        return columns_figure(runs)


def test_a_column_that_never_changes_is_left_out() -> None:
    run = synthetic_run("first", 300, 0)
    titles = [axes.get_title(loc="left") for axes in columns(run).axes]
    assert titles == ["Temperature (K)", "Potential energy (eV per atom)"]
    *others, volume = run.quantities
    breathing = replace(volume, values=volume.values + np.arange(len(run.along)) % 2)
    run = replace(run, quantities=[*others, breathing])
    assert columns(run).axes[-1].get_title(loc="left") == "Volume (Å³ per atom)"


def test_the_aim_of_a_run_is_drawn_from_its_beginning_to_its_end() -> None:
    run = synthetic_run("heated", 300, 0)
    temperature = run.quantities[0]
    ramp = replace(run, step=10_000, progress=10.0, quantities=[replace(temperature, targets=(300, 900))])
    (axes,) = columns(ramp).axes
    aim = axes.lines[1]
    assert aim.get_linestyle() == "--"
    np.testing.assert_allclose(aim.get_data(), [[0, 20], [300, 900]])


def test_runs_of_two_kinds_have_axes_of_their_own() -> None:
    page = synthetic_report(2)
    page = replace(page, runs=[*page.runs, synthetic_band("hop", 0.6912)])
    assert {"calls", "grade", "columns-md", "columns-neb"} < {figure.name for figure in page.figures()}
    with rc_context(STYLE):
        axes = calls_figure(page.runs, page.common.campaign.labels).axes
    assert [each.get_xlabel() for each in axes] == ["md: simulated time (ps)", "neb: steps"]
    text = page.render()
    assert len(pages(page).sources) == 7
    for words in (
        "<td>barrier 0.6912 eV</td>",
        "paused: γ = 11 above γ_break = 10",
        '<td class="k">timestep</td><td class="v">1 fs</td>',
        "<td>temperature 300 K, seed 0</td>",
        '<td class="k">spring</td><td class="v">0.1 eV/Å²</td>',
        "also 60 steps",
    ):
        assert words in text


def test_a_campaign_that_has_just_begun() -> None:
    run = synthetic_run("first", 300, 0)
    none = np.zeros(0)
    idle = replace(run, step=0, progress=0.0, steps=none.astype(int), along=none, grades=none, quantities=())
    page = synthetic_report()
    campaign = replace(
        page.common.campaign,
        state=CampaignState.RUNNING, reason=None, rounds=0, ended=None, labels=[], levels=[],
        cost={role: Cost() for role in Role},
    )  # fmt: skip
    page = replace(page, runs=[idle], common=CampaignPage(campaign, [], ParitySet.empty()))
    assert pages(page).sources == []
    assert "No label has been asked for yet" in page.render()


def test_a_kind_without_a_page_of_its_own_has_the_common_one(tmp_path: Path) -> None:
    page = synthetic_report().common
    assert len(pages(page).sources) == 3
    assert page.write_files(tmp_path) == []
    assert page.headline == "lithium-300K, finished, round 11, 19 QM calls"


def test_the_cost_is_shown_by_role_with_waiting_apart() -> None:
    text = synthetic_report().render()
    assert (
        '<tr><td>label</td><td class="n">58 s</td><td class="n">62 s</td><td class="n">41 s</td></tr>' in text
    )
    assert '<tr><td>all</td><td class="n">3.1 min</td>' in text
    assert synthetic_report().summary()["cost"]["label"] == {
        "processor_s": 58.0,
        "wall_s": 62.0,
        "waiting_s": 41.0,
    }


def test_text_of_users_is_escaped() -> None:
    page = synthetic_report()
    campaign = replace(page.common.campaign, name="<script>alert(1)</script>", reason="<b>")
    text = replace(page, common=replace(page.common, campaign=campaign)).render()
    assert "<script>" not in text
    assert "<b>." not in text


def test_numbers_of_the_data() -> None:
    page = synthetic_report(2)
    campaign, versions = page.common.campaign, page.common.versions
    assert page.steps == 40000
    assert campaign.qm_calls == 6 + 22 + 2
    assert campaign.label_states == {"done": 28, "failed": 1, "rejected": 1}
    assert [count for *_, count in campaign.label_problems] == [1, 1]
    assert all_unseen(versions).energies.size == 22
    assert all_unseen(versions).force_rmse_eV_A > page.common.trained.force_rmse_eV_A
    mean, spread = page.runs[0].later("temperature (K)")
    assert mean == pytest.approx(300, abs=2)
    assert spread == pytest.approx(12, abs=2)


def test_thinning_keeps_thepeaks() -> None:
    grades = np.ones(50_000)
    grades[31_337] = 40.0
    times, thinned = peaks(np.arange(50_000.0), grades)
    assert len(thinned) == POINTS
    assert thinned.max() == 40.0
    assert times[thinned.argmax()] == 31_337


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.0123456, "0.0123"),
        (12.34, "12.3"),
        (20000, "20\u202f000"),
        (0, "0"),
    ],
)
def test_number_format(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.14, "2.1 s"), (186, "3.1 min"), (36000, "10 h"), (None, "–")]
)
def test_duration_format(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        build_report(synthetic_report(), tmp_path / "no" / "report.html")
