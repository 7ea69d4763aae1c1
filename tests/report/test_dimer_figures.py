from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
from synthetic import synthetic_report

from alflow.potentials.dimer import DimerCurve
from alflow.report.dimer_figures import dimer_figure

R = np.linspace(0.5, 6.0, 12)


def curve(energies: np.ndarray, core: tuple[float, float] | None = None) -> DimerCurve:
    return DimerCurve(("Cu", "Pd"), R, energies, -np.gradient(energies, R), np.full(12, 30.0), core)


def test_every_pair_has_its_energies_grades_and_core() -> None:
    figure = dimer_figure([curve(1 / R**2 - 0.1, (0.9, 1.6))], 10.0, {"Cu–Pd": 2.3})
    rows = list(csv.DictReader(io.StringIO(figure.table.csv())))
    assert [float(row["energy_eV"]) for row in rows] == (1 / R**2 - 0.1).tolist()
    assert {(row["pair"], row["gamma"]) for row in rows} == {("Cu–Pd", "30.0")}
    for words in ("Dashed", "Dotted", "Shaded"):
        assert words in figure.caption
    assert "nothing keeps" not in figure.caption
    assert figure.svg.startswith("<?xml")


def test_a_curve_that_falls_at_short_distances_is_told() -> None:
    energies = np.where(R < 1.2, -5.0, 1 / R**2)
    caption = dimer_figure([curve(energies)]).caption
    assert "Cu–Pd has its maximum of 0.444 eV at 1.50 Å" in caption
    assert not any(words in caption for words in ("Dashed", "Dotted", "Shaded"))


def test_the_page_shows_dimers_if_there_are_any() -> None:
    common = replace(synthetic_report().common, dimers=[curve(1 / R**2)])
    assert "dimers" in [figure.name for figure in common.figures()]
    assert common.render().count("Energies of two atoms alone") == 2  # caption, and text for screen readers
