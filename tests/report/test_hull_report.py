from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import ase.io
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from synthetic_hull import synthetic_hull
from test_report import _Balance

from alflow.report import build_report
from alflow.results import Cost
from alflow.states import CampaignState, Role
from workflows.hull_screening.figures import hull_figure, screening_figures, tie_lines
from workflows.hull_screening.files import write_hull
from workflows.hull_screening.page import ScreeningPage
from workflows.hull_screening.phase import Phase
from workflows.hull_screening.results import EnergySet, HullData

TERNARY = ["Cu", "Pd", "Au"]


@pytest.fixture(scope="module")
def binary() -> HullData:
    return synthetic_hull(["Cu", "Pd"])


@pytest.fixture(scope="module")
def ternary() -> HullData:
    return synthetic_hull(TERNARY)


def drawn(data: HullData) -> Figure:
    figure = hull_figure(data)
    assert figure is not None
    return figure


def test_a_binary_hull_goes_through_the_stable_compounds(binary: HullData) -> None:
    axes = drawn(binary).axes[0]
    x, y = axes.lines[0].get_data()
    assert list(x) == sorted(c.fractions[1] for c in binary.stable)
    assert min(y) == min(c.formation_energy_eV for c in binary.stable)
    named = {text.get_text() for text in axes.texts}
    assert {"Cu", "Pd", "CuPd", "Cu₃Pd"} <= named
    assert len(named) == len(binary.stable)


def test_each_stage_has_its_band(binary: HullData) -> None:
    _, *panels = drawn(binary).axes
    assert [panel.texts[0].get_text() for panel in panels] == ["4σ = 48 meV", "10 meV + 4σ = 26 meV"]
    assert [panel.get_title(loc="left") for panel in panels] == [
        "Stage 1, level 8: kept 104 of 520",
        "Stage 2, level 16: kept 86 of 104",
    ]
    for panel, stage in zip(panels, binary.stages, strict=True):
        x, hull_eV = panel.lines[0].get_data()
        band = panel.collections[0].get_paths()[0].vertices
        assert stage.band_eV is not None
        assert band[:, 1].max() == pytest.approx(max(hull_eV) + stage.band_eV)
        assert len(x) == len(set(x))


def test_a_stage_that_is_not_done_has_no_band(binary: HullData) -> None:
    stage = replace(binary.stages[0], sigma_eV=None, kept=None)
    panel = drawn(replace(binary, stages=[stage])).axes[1]
    assert panel.get_title(loc="left") == "Stage 1, level 8: 520 relaxed so far"
    assert not panel.texts


def test_a_stage_whose_error_could_not_be_measured_has_no_band(binary: HullData) -> None:
    stage = replace(binary.stages[0], sigma_eV=None)
    panel = drawn(replace(binary, stages=[stage])).axes[1]
    assert panel.get_title(loc="left") == "Stage 1, level 8: kept 104 of 520"
    assert not panel.texts


def test_tie_lines_join_what_coexists(ternary: HullData) -> None:
    lines = [tuple(sorted((a.formula, b.formula))) for a, b in tie_lines(ternary.stable)]
    assert len(lines) == len(set(lines))
    phases = len(ternary.stable)
    on_edges = sum(min(compound.fractions) == 0 for compound in ternary.stable)
    assert len(lines) == 3 * phases - 3 - on_edges  # Euler, for a triangulation
    middles = np.array([(np.add(a.fractions, b.fractions)) / 2 for a, b in tie_lines(ternary.stable)])
    heights = [(a.formation_energy_eV + b.formation_energy_eV) / 2 for a, b in tie_lines(ternary.stable)]
    for fractions, height in zip(middles, heights, strict=True):
        same = np.all(np.isclose(ternary.energies.fractions, fractions), axis=1)
        assert np.allclose(ternary.energies.hull_eV[same], height)


def test_elements_that_do_not_mix_still_coexist(ternary: HullData) -> None:
    elements = [compound for compound in ternary.stable if max(compound.fractions) == 1]
    assert len(list(tie_lines(elements))) == 3
    energies = EnergySet(np.eye(3), np.zeros(3), np.zeros(3))
    assert hull_figure(replace(ternary, compounds=elements, energies=energies)) is not None


def test_colours_of_a_ternary_are_distances(ternary: HullData) -> None:
    axes = drawn(ternary).axes[0]
    near = [compound for compound in ternary.compounds if not compound.stable]
    coloured = [c for c in axes.collections if isinstance(c, PathCollection) and c.get_array() is not None]
    np.testing.assert_allclose(
        sorted(coloured[0].get_array()), sorted(1000 * compound.above_hull_eV for compound in near)
    )
    assert {text.get_text() for text in axes.texts} >= set(TERNARY)


def test_four_species_have_no_figure() -> None:
    data = synthetic_hull([*TERNARY, "Ag"])
    assert hull_figure(data) is None
    assert [figure.name for figure in screening_figures(data)] == ["work"]


def test_figures_are_the_same_for_the_same_data(binary: HullData) -> None:
    figures, again = ({f.name: f.svg for f in screening_figures(binary)} for _ in range(2))
    assert figures == again
    for svg in figures.values():
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert len(svg) < 500_000


def test_the_folder_holds_the_same_in_every_format(binary: HullData, tmp_path: Path) -> None:
    written = write_hull(binary, tmp_path / "hull")
    names = ["hull.csv", "hull.json", "entries.json", "hull.png", "hull.extxyz"]
    assert [path.name for path in written] == names
    with (tmp_path / "hull" / "hull.csv").open() as file:
        rows = list(csv.DictReader(file))
    summary = json.loads((tmp_path / "hull" / "hull.json").read_text())
    frames = ase.io.read(tmp_path / "hull" / "hull.extxyz", index=":")
    assert [row["formula"] for row in rows] == [c.formula for c in binary.compounds]
    assert [c["candidate"] for c in summary["compounds"]] == [c.name for c in binary.compounds]
    assert [atoms.info["candidate"] for atoms in frames] == [c.name for c in binary.compounds]
    assert float(rows[0]["above_hull_eV_per_atom"]) == 0
    assert [stage["sigma_eV"] for stage in summary["stages"]] == [0.012, 0.004]
    for suffix in (".POSCAR", ".cif"):
        files = sorted((tmp_path / "hull" / "structures").glob(f"*{suffix}"))
        assert len(files) == len(binary.compounds)
        for file, compound in list(zip(files, binary.compounds, strict=True))[:8]:
            atoms = ase.io.read(file)
            assert sorted(atoms.symbols) == sorted(compound.atoms.symbols)
            assert atoms.cell.volume == pytest.approx(compound.atoms.cell.volume)


def test_results_replace_earlier_ones(binary: HullData, tmp_path: Path) -> None:
    write_hull(replace(binary, compounds=binary.compounds[:4]), tmp_path)
    (tmp_path / "structures" / "mine.cif").touch()
    write_hull(replace(binary, compounds=binary.compounds[2:3]), tmp_path)
    names = {file.name for file in (tmp_path / "structures").iterdir()}
    compound = binary.compounds[2]
    name = f"001-{compound.formula}-{compound.name}"
    assert names == {f"{name}.cif", f"{name}.POSCAR", "mine.cif"}


def test_pymatgen_makes_the_same_hull_of_the_entries(ternary: HullData, tmp_path: Path) -> None:
    loadfn = pytest.importorskip("monty.serialization", reason="needs pymatgen").loadfn
    from pymatgen.analysis.phase_diagram import PhaseDiagram

    ternary = replace(ternary, compounds=ternary.compounds[: len(ternary.stable) + 5])
    write_hull(ternary, tmp_path)
    entries = loadfn(tmp_path / "entries.json")
    diagram = PhaseDiagram(entries)
    stable = {entry.entry_id for entry in diagram.stable_entries}
    assert stable == {compound.name for compound in ternary.stable}
    for entry, compound in zip(entries, ternary.compounds, strict=True):
        assert diagram.get_e_above_hull(entry) == pytest.approx(compound.above_hull_eV, abs=1e-8)
        formation_eV = diagram.get_form_energy_per_atom(entry)
        assert formation_eV == pytest.approx(compound.formation_energy_eV, abs=1e-8)


@pytest.mark.parametrize("species", [["Cu", "Pd"], TERNARY, [*TERNARY, "Ag"]])
def test_the_page_is_whole_and_needs_nothing_else(tmp_path: Path, species: list[str]) -> None:
    data = synthetic_hull(species)
    text = build_report(ScreeningPage(data), tmp_path / "report.html").read_text()
    page = _Balance()
    page.feed(text)
    assert page.open == []
    assert len(page.sources) == (3 if len(species) < 4 else 2)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert not re.search(r"https?://", text)
    for words in (
        "files-7: atoms 1 and 2 are 0.2 Å apart",
        "not usable",
        "90 %",
        "Cu₃Pd",
        '<td class="n">48.0</td>',
    ):
        assert words in text


def test_the_page_of_a_screening_that_has_just_begun(binary: HullData) -> None:
    nothing = EnergySet.empty(2)
    stages = [replace(s, relaxed=0, kept=None, sigma_eV=None, energies=nothing) for s in binary.stages]
    work = [replace(each, seconds=0.0, evaluations=0) for each in binary.work]
    campaign = replace(
        binary.campaign, state=CampaignState.RUNNING, reason=None, ended=None, levels=[],
        cost={role: Cost() for role in Role},
    )  # fmt: skip
    data = replace(
        binary, campaign=campaign, phase=Phase.GATHERING, stage=0, hull_of=None, compounds=[],
        energies=nothing, stages=stages, work=work, dropped=[],
    )  # fmt: skip
    page = _Balance()
    text = ScreeningPage(data).render()
    page.feed(text)
    assert page.sources == []
    assert "The campaign is running (gathering, stage 1): there is no hull yet" in text
    assert "none was dropped" in text


def test_the_page_writes_the_hull_to_a_folder_of_its_own(binary: HullData, tmp_path: Path) -> None:
    assert ScreeningPage(binary).write_files(tmp_path) == [tmp_path / "hull"]
    assert (tmp_path / "hull" / "hull.csv").is_file()
