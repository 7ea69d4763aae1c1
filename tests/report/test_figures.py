from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.geometry.rdf import get_rdf
from synthetic import synthetic_report

from alflow.potentials.estimates import Estimate, EstimatedErrors
from alflow.report import CampaignPage, build_report
from alflow.report.figure import DataTable
from alflow.report.grade_figures import grade_histogram
from alflow.report.parity_figures import QUANTITIES, learning_curve, outliers, parity, qm_limits
from alflow.results import ParitySet, RoundGrades
from alflow.results.advice import Advice, Rule
from alflow.results.distances import coverage, pair_distances


def rows(table: DataTable) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.csv())))


def test_the_table_of_a_parity_plot_is_its_data() -> None:
    page = synthetic_report().common
    found = rows(parity(page.versions, page.trained).table)
    trained = [row for row in found if row["set"] == "training set" and row["quantity"] == "force component"]
    assert [float(row["qm"]) for row in trained] == page.trained.forces.tolist()
    assert [float(row["potential"]) for row in trained] == page.trained.predicted_forces.tolist()


def test_predictions_beyond_the_range_of_qm_are_counted_and_told() -> None:
    forces = np.linspace(-1.0, 1.0, 21)
    predicted = forces.copy()
    predicted[[0, 3]] = [-9.0, 40.0]
    one = np.array([-3.0])
    found = ParitySet(one, one, forces, predicted)
    force = QUANTITIES[1]
    limits = qm_limits(force, {"training set": found})
    assert limits == pytest.approx((-1.1, 1.1))
    np.testing.assert_allclose(outliers(force, found, limits), [-8.0, 40.7])
    caption = parity([], found).caption
    assert "force component predicted for 2 of 21 of the training set" in caption
    assert "largest error among them is 40.7 eV/Å" in caption
    assert "not shown" not in parity([], ParitySet(one, one, forces, forces)).caption


def test_stress_is_drawn_in_gpa_if_there_is_any() -> None:
    one = np.array([-3.0])
    with_stress = ParitySet(one, one, one, one, np.full(6, 0.01), np.full(6, 0.02))
    found = [row for row in rows(parity([], with_stress).table) if row["quantity"] == "stress component"]
    assert {row["unit"] for row in found} == {"GPa"}
    assert float(found[0]["potential"]) == pytest.approx(3.2043533)
    assert with_stress.stress_rmse_eV_A3 == pytest.approx(0.01)


def validated(frames: int) -> CampaignPage:
    """The synthetic campaign; all versions have the same validation errors."""
    force, energy = Estimate(0.041, 0.036, 0.047), Estimate(0.0005, 0.0004, math.inf)
    errors = EstimatedErrors(frames, energy, energy, force, force, energy, energy)
    page = synthetic_report().common
    return replace(page, versions=[replace(version, validation=errors) for version in page.versions])


def test_the_validation_error_leads_and_has_its_interval() -> None:
    page = validated(24)
    figure = learning_curve(page.versions)
    assert "same 24 validation frames" in figure.caption
    row = rows(figure.table)[-1]
    assert [float(row[f"validation_force_rmse_eV_A{end}"]) for end in ("", "_low", "_high")] == [
        0.041, 0.036, 0.047
    ]  # fmt: skip
    assert figure.svg.startswith("<?xml")
    assert page.headline.endswith("validation 0.041 (0.036–0.047) eV/Å")
    assert "<b>0.041 (0.036–0.047) eV/Å</b>" in page.render()


def test_the_error_of_few_frames_is_not_shown() -> None:
    page = validated(4)
    assert not any("validation" in name for name in learning_curve(page.versions).table.columns)
    assert page.validation is None
    assert "alidation" not in page.headline + page.render()


def test_marked_words_of_advice_are_code_and_the_rest_is_escaped() -> None:
    advice = Advice(Rule.LABELS_TIME_OUT, "<b>it</b> times out", "raise `qm.timeout_s`")
    text = replace(synthetic_report().common, advice=[advice]).render()
    assert "raise <code>qm.timeout_s</code>" in text.replace("Raise", "raise")
    assert "<b>it" not in text


def test_every_grade_is_in_the_histogram_once() -> None:
    grades = [RoundGrades(1, np.array([0.2, 0.9, 1.1, 50.0])), RoundGrades(3, np.array([0.5, 1e9]))]
    figure = grade_histogram(grades, 2.1, 10.0, "Steps")
    found = rows(figure.table)
    counts = {
        round_: sum(int(row["count"]) for row in found if row["round"] == round_) for round_ in ("1", "3")
    }
    assert counts == {"1": 4, "3": 2}
    below = sum(int(r["count"]) for r in found if r["round"] == "1" and float(r["gamma_to"]) <= 1 + 1e-9)
    assert below == 2
    assert figure.svg.startswith("<?xml")


def test_distances_agree_with_ase() -> None:
    atoms = bulk("Cu", cubic=True, a=3.6) * (3, 3, 3)
    atoms.symbols[::2] = "Pd"
    atoms.rattle(0.1, seed=1)
    for found in pair_distances([atoms], ["Cu", "Pd"], 5.0, bins=40):
        expected, middles = get_rdf(atoms, 5.0, 40, elements=found.pair)
        np.testing.assert_allclose(found.middles_A, middles)
        np.testing.assert_allclose(found.rdf, expected, rtol=0.02)
    nearest = pair_distances([bulk("Cu", a=3.6)], ["Cu"], 3.0)[0]
    assert nearest.counts.sum() == 12
    assert nearest.shortest_A == pytest.approx(3.6 / 2**0.5)


def test_a_molecule_has_distances_but_no_density() -> None:
    (found,) = pair_distances([Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])], ["H"], 2.0)
    assert found.shortest_A == pytest.approx(0.74)
    assert np.isnan(found.rdf).all()


def test_coverage_names_the_shortest_distances() -> None:
    covered = coverage([bulk("Cu", a=3.6)], [bulk("Cu", a=3.4)], ["Cu", "Pd"], 4.0, "frames above γ_save")
    assert covered is not None
    page = synthetic_report()
    page = replace(page, common=replace(page.common, coverage=covered))
    (figure,) = [figure for figure in page.figures() if figure.name == "coverage"]
    assert "Cu–Cu 2.55 Å and 2.40 Å" in figure.caption
    assert sum(int(row["count"]) for row in rows(figure.table) if row["set"] == "visited") == 18
    assert coverage([], [], ["Cu"], 4.0, "nothing") is None


def test_every_figure_is_written_in_three_formats_and_linked(tmp_path: Path) -> None:
    page = synthetic_report()
    text = build_report(page, tmp_path / "report.html", tmp_path / "figures").read_text()
    names = {figure.name for figure in page.figures()}
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {
        f"{name}.{suffix}" for name in names for suffix in ("png", "svg", "csv")
    }
    assert all(f'href="figures/{name}.csv"' in text for name in names)
    assert (tmp_path / "figures" / "cost.png").read_bytes() == page.figures()[3].png
    assert "figures/" not in page.render()
