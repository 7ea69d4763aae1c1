"""Explorer kind `neb`: its settings, its runs, its barriers, and how it pauses and goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc100
from ase.mep import NEB
from ase.optimize import FIRE, LBFGS
from graded_emt import GradedEMT
from host import Campaign, MemoryHost, call, call_although_killed, displaced

from alflow.errors import InputError
from alflow.explorers import OutcomeState, Run, neb_run
from alflow.explorers.neb import EXPLORER, NebExplorerSettings, Vacancy
from alflow.simulation import GradeControl
from alflow.simulation.path import ImageCalculator, interpolated

CRYSTAL = bulk("Cu", cubic=True, a=3.6) * (2, 2, 2)


def settings(**changes: Any) -> NebExplorerSettings:
    return NebExplorerSettings(**{"name": "hop", "vacancy": Vacancy(structure="fcc"), "images": 3} | changes)


def vacancy_run(**changes: Any) -> Run:
    (run,) = EXPLORER.runs(settings(**changes), {"fcc": CRYSTAL}, ["Cu"])
    return run


@pytest.fixture(scope="module")
def reference_eV() -> float:
    """The barrier by ASE alone."""
    images = [atoms.copy() for atoms in vacancy_run().start]
    for atoms in images:
        atoms.calc = GradedEMT()
        LBFGS(atoms, logfile=None).run(fmax=0.005)
    images = [images[0], *(images[0].copy() for _ in range(3)), images[1]]
    band = NEB(images, climb=True, method="improvedtangent")
    band.interpolate("idpp", mic=True)
    for image in images:
        image.calc = GradedEMT()
    FIRE(band, logfile=None).run(fmax=0.01)
    return max(image.get_potential_energy() for image in images) - images[0].get_potential_energy()


def test_a_vacancy_hops_to_its_nearest_neighbor_through_the_boundary() -> None:
    for site, neighbor in ((0, None), (5, None), (0, 31)):
        run = vacancy_run(vacancy=Vacancy(structure="fcc", site=site, neighbor=neighbor))
        initial, final = run.start
        moves = np.linalg.norm(final.positions - initial.positions, axis=1)
        assert len(initial) == 31 and np.count_nonzero(moves > 1e-9) == 1
        if neighbor is None:
            assert moves.max() == pytest.approx(3.6 / np.sqrt(2))
    assert EXPLORER.RunSettings.model_validate(run.settings.model_dump()) == run.settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vacancy": None}, "explorer 'hop' needs either `initial` and `final`, or `vacancy`"),
        ({"initial": "a"}, "needs either `initial` and `final`, or `vacancy`"),
        ({"images": 0}, "`images` is 0"),
        ({"interpolation": "cubic"}, "`interpolation` is 'cubic'"),
        ({"vacancy": {"structure": "fcc", "sight": 1}}, "did you mean `site`?"),
    ],
)
def test_what_the_schema_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        settings(**changes)
    assert message in str(error.value)


def test_ends_that_do_not_belong_together_are_refused() -> None:
    def refusal(final: Atoms) -> str:
        pair = settings(vacancy=None, initial="a", final="b")
        with pytest.raises(InputError) as error:
            EXPLORER.runs(pair, {"a": CRYSTAL, "b": final}, ["Cu"])
        return str(error.value)

    other, larger = CRYSTAL.copy(), CRYSTAL.copy()
    other.symbols[3] = "Au"
    larger.set_cell(CRYSTAL.cell * 1.01, scale_atoms=True)
    assert (
        refusal(other) == "explorer 'hop': structures 'a' and 'b' must have the same atoms in the same order"
    )
    assert "must have the same cell" in refusal(larger)
    assert "are the same: no atom moves by 0.1 Å" in refusal(CRYSTAL)


@pytest.mark.parametrize(
    ("vacancy", "message"),
    [
        ({"site": 40}, "`vacancy.site` is 40, but structure 'fcc' has 32 atoms"),
        ({"neighbor": 0}, "`vacancy.neighbor` is 0, but that is the atom that is taken out"),
    ],
)
def test_vacancies_that_cannot_be_made_are_refused(vacancy: dict[str, int], message: str) -> None:
    with pytest.raises(InputError) as error:
        vacancy_run(vacancy=Vacancy(structure="fcc", **vacancy))
    assert message in str(error.value)
    with pytest.raises(InputError, match="is too small for a vacancy that hops; give a supercell"):
        EXPLORER.runs(settings(), {"fcc": bulk("Cu", a=3.6)}, ["Cu"])


def test_the_barrier_is_that_of_ase(reference_eV: float) -> None:
    outcome = call(EXPLORER, vacancy_run(), GradedEMT(), MemoryHost())
    results = outcome.results
    assert (outcome.state, results["converged"]) == (OutcomeState.FINISHED, True)
    assert results["barrier_forward_eV"] == pytest.approx(reference_eV, abs=1e-3)
    assert results["barrier_backward_eV"] == pytest.approx(reference_eV, abs=1e-3)
    assert results["reaction_energy_eV"] == pytest.approx(0.0, abs=1e-6)
    energies = [atoms.info["energy_eV"] for atoms in outcome.structures]
    np.testing.assert_allclose(np.array(energies) - energies[0], results["energies_eV"])
    saddle = outcome.structures[2].copy()
    saddle.calc = GradedEMT()
    assert np.linalg.norm(saddle.get_forces(), axis=1).max() < 0.02  # the highest image has climbed


def test_it_learns_the_path_and_its_barrier_from_nothing(reference_eV: float) -> None:
    run = vacancy_run()
    campaign = Campaign(EXPLORER, run, ["Cu"], displaced(run.start[0], 4), level=8)
    outcome = campaign.to_the_end()
    assert outcome.results["barrier_forward_eV"] == pytest.approx(reference_eV, abs=0.02)
    assert outcome.results["extrapolation_grade"] <= 2.1
    assert outcome.results["potential_version"] == campaign.host.version > 1
    assert len(campaign.structures) < 15


def test_a_path_between_two_structures_crosses_the_boundary() -> None:
    """An adatom from one hollow to the next, whose position in the file is that of another periodic image."""
    initial = fcc100("Cu", (2, 2, 3), a=3.6, vacuum=6.0)
    final = initial.copy()
    add_adsorbate(initial, "Cu", 1.8, "hollow", offset=(1, 0))
    add_adsorbate(final, "Cu", 1.8, "hollow", offset=(0, 0))
    pair = settings(vacancy=None, initial="a", final="b", images=1)
    (run,) = EXPLORER.runs(pair, {"a": initial, "b": final}, ["Cu"])
    step = run.start[1].positions[-1] - run.start[0].positions[-1]
    assert np.linalg.norm(step) == pytest.approx(3.6 / np.sqrt(2))
    results = call(EXPLORER, run, GradedEMT(), MemoryHost()).results
    assert results["converged"] and 0.2 < results["barrier_forward_eV"] < 0.9
    assert results["reaction_energy_eV"] == pytest.approx(0.0, abs=1e-4)


def hopping_grade(run: Run, scale: float) -> Any:
    """A grade that grows as the path leaves its ends."""
    ends = [atoms.positions for atoms in run.start]
    return lambda atoms: 1 + scale * min(np.abs(atoms.positions - end).max() for end in ends)


def test_extrapolation_pauses_and_the_path_goes_on_from_where_it_was() -> None:
    run, host = vacancy_run(), MemoryHost()
    outcome = call(EXPLORER, run, GradedEMT(hopping_grade(run, 20)), host)
    assert outcome.state == OutcomeState.PAUSED
    assert outcome.reason.startswith("image ") and "above gamma_break = 10" in outcome.reason
    frames = host.frames.all()
    assert 2 <= len(frames) <= 2 * neb_run.FRAMES_PER_CALL
    assert frames[0].info["extrapolation_grade"] > 10
    assert all(frame.calc is None for frame in frames)
    assert host.checkpoint is not None and len(host.checkpoint["positions"]) == 5
    host.version += 1
    finished = call(EXPLORER, run, GradedEMT(), host)
    assert finished.state == OutcomeState.FINISHED and finished.results["potential_version"] == 2


def test_a_converged_path_above_gamma_save_is_not_finished() -> None:
    run = vacancy_run()
    host = MemoryHost(control=GradeControl(gamma_save=2.1, gamma_break=1000.0))
    outcome = call(EXPLORER, run, GradedEMT(hopping_grade(run, 20)), host)
    assert outcome.state == OutcomeState.PAUSED and outcome.results["converged"]
    assert "above gamma_save = 2.1" in outcome.reason
    assert max(frame.info["extrapolation_grade"] for frame in host.frames.all()) > 10


def test_an_end_that_is_unknown_pauses() -> None:
    host = MemoryHost()
    outcome = call(EXPLORER, vacancy_run(), GradedEMT(lambda atoms: 5.0), host)
    assert outcome.reason == (
        "initial structure: the extrapolation grade of the minimum is 5, above gamma_save = 2.1"
    )
    assert len(host.frames.all()) == 2


def test_a_run_that_is_killed_at_any_save_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neb_run, "SAVED_EVERY_S", 0.0)
    monkeypatch.setattr(neb_run, "LEG_STEPS", 12)
    unhurt, killed = MemoryHost(), MemoryHost()
    whole = call(EXPLORER, vacancy_run(), GradedEMT(), unhurt)
    outcome, kills = call_although_killed(EXPLORER, vacancy_run(), GradedEMT(), killed)
    assert kills >= 2
    assert outcome.results == whole.results
    assert killed.step == unhurt.step > 8
    assert {"step", "extrapolation_grade", *(c.name for c in EXPLORER.columns)} == set(unhurt.history)


def test_steps_that_do_not_suffice_are_a_result(reference_eV: float) -> None:
    host = MemoryHost()
    outcome = call(EXPLORER, vacancy_run(steps=10), GradedEMT(), host)
    assert (outcome.state, outcome.results["converged"]) == (OutcomeState.FINISHED, False)
    assert outcome.results["max_force_eV_A"] > 0.02
    host.version += 1  # begins with a new path
    assert host.checkpoint is not None and len(host.checkpoint["positions"]) == 2
    assert call(EXPLORER, vacancy_run(steps=300), GradedEMT(), host).results["converged"]


def test_a_stop_gives_back_the_path() -> None:
    host = MemoryHost(patience=3)
    outcome = call(EXPLORER, vacancy_run(), GradedEMT(), host)
    assert (outcome.state, outcome.reason) == (OutcomeState.PAUSED, "a stop was requested")
    host.patience = 10**6
    assert call(EXPLORER, vacancy_run(), GradedEMT(), host).state == OutcomeState.FINISHED


def test_no_image_is_computed_twice() -> None:
    calculator = GradedEMT()
    images = interpolated(*vacancy_run().start, 3, "linear")
    for image in images:
        image.calc = ImageCalculator(calculator)
    for _ in range(2):
        for image in images:
            image.get_forces()
            image.get_potential_energy()
    assert calculator.evaluations == 5
    images[1].positions += 0.01
    images[1].get_potential_energy()
    assert calculator.evaluations == 6
