from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import rc_context
from synthetic import synthetic_report, synthetic_run

from alflow.errors import InputError
from alflow.report import ParitySet, build_report
from alflow.report.figures import POINTS, STYLE, _peaks, draw_all, sanity_figure
from alflow.report.page import _duration, _number, render

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


@pytest.mark.parametrize("runs", [1, 8])
def test_the_page_is_whole_and_needs_nothing_else(tmp_path: Path, runs: int) -> None:
    data = synthetic_report(runs)
    text = build_report(data, tmp_path / "report.html").read_text()
    page = _Balance()
    page.feed(text)
    assert page.open == []
    assert len(page.sources) == 6
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert not re.search(r"https?://", text)
    assert "SCF did not converge in 200 steps" in text
    assert "largest force 81.2 eV/Å is above the limit 50" in text
    assert f"{data.qm_calls}</b><span>QM calls, {data.label_states['done']} accepted" in text


def test_figures_are_small_and_the_same_for_the_same_data() -> None:
    figures = draw_all(synthetic_report())
    assert figures == draw_all(synthetic_report())
    for svg in figures.values():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert len(svg) < 500_000


def test_volume_is_shown_under_a_barostat() -> None:
    data = synthetic_report()
    run = replace(data.runs[0], ensemble="npt")
    with rc_context(STYLE):
        assert _height(sanity_figure(replace(data, runs=[run]))) > _height(sanity_figure(data))


def _height(svg: str) -> float:
    return float(ElementTree.fromstring(svg).attrib["height"].removesuffix("pt"))


def test_a_campaign_that_has_just_begun() -> None:
    run = synthetic_run("first", 300, 0)
    idle = replace(run, step=0, history={name: values[:0] for name, values in run.history.items()})
    data = replace(
        synthetic_report(),
        state="running", reason=None, rounds=0, ended=None, runs=[idle], labels=[], versions=[], levels=[],
        trained=ParitySet.empty(), cost_s={"explore": 0.0, "label": 0.0, "train": 0.0},
    )  # fmt: skip
    page = _Balance()
    text = render(data)
    page.feed(text)
    assert page.sources == []
    assert "No label has been asked for yet" in text


def test_text_of_users_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alflow.report.page.draw_all", lambda data: {})
    text = render(replace(synthetic_report(), campaign="<script>alert(1)</script>"))
    assert "<script>" not in text


def test_numbers_of_the_data() -> None:
    data = synthetic_report(2)
    assert data.steps == 40000
    assert data.qm_calls == 6 + 22 + 2
    assert data.label_states == {"done": 28, "failed": 1, "rejected": 1}
    assert [count for *_, count in data.label_problems] == [1, 1]
    assert data.unseen.energies.size == 22
    assert data.unseen.force_rmse_eV_A > data.trained.force_rmse_eV_A
    mean, spread = data.runs[0].later_temperature_K
    assert mean == pytest.approx(300, abs=2)
    assert spread == pytest.approx(12, abs=2)


def test_thinning_keeps_the_peaks() -> None:
    grades = np.ones(50_000)
    grades[31_337] = 40.0
    times, thinned = _peaks(np.arange(50_000.0), grades)
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
    assert _number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.14, "2.1 s"), (186, "3.1 min"), (36000, "10 h"), (None, "–")]
)
def test_duration_format(seconds: float | None, text: str) -> None:
    assert _duration(seconds) == text


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        build_report(synthetic_report(), tmp_path / "no" / "report.html")
