"""Explorer kind `relax`: its settings, its runs, and that its results are those of the newest potential."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc100
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixBondLength
from ase.io import write
from ase.optimize import LBFGS
from host import Campaign, MemoryHost, call, call_although_killed, displaced

from alflow.errors import InputError
from alflow.explorers import Run, relax
from alflow.explorers.protocol import Outcome, OutcomeState
from alflow.explorers.relax import EXPLORER, RelaxExplorerSettings
from alflow.simulation import GradeControl, Guards, Relaxation

CASES = Path(__file__).parents[1] / "data" / "cases"
COPPER = bulk("Cu", cubic=True, a=3.6)


def settings(**changes: Any) -> RelaxExplorerSettings:
    return RelaxExplorerSettings(**{"name": "minima", "structures": ["fcc"]} | changes)


def slab() -> Atoms:
    """Periodic in the plane only, its lowest layer fixed."""
    atoms = fcc100("Cu", (1, 1, 4), a=3.6, vacuum=5.0)
    atoms.pbc = (True, True, False)
    atoms.set_constraint(FixAtoms([atom.index for atom in atoms if atom.tag == 4]))
    return atoms


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    """Copper cells of a few atoms, strained and displaced, that a potential has learned from half of them."""
    starts = displaced(COPPER, 6, seed=3)
    run = Run("minima", _plan(len(starts)), starts, len(starts))
    found = Campaign(EXPLORER, run, ["Cu"], starts[:3])
    found.to_the_end()
    return found


def _plan(count: int, **changes: Any) -> Any:
    plan = {
        "names": [f"cell-{place}" for place in range(count)],
        "fixed": [[]] * count,
        "cell": True,
        "pressure_GPa": 0.0,
        "relaxation": Relaxation(max_force_eV_A=0.001, max_stress_GPa=0.01),
        "guards": Guards(),
    }
    return EXPLORER.RunSettings(**plan | changes)


def facts(outcome: Outcome) -> list[tuple[Any, ...]]:
    return [
        (atoms.info["name"], atoms.info["state"], atoms.info["energy_eV"], atoms.positions.tolist())
        for atoms in outcome.structures
    ]


def test_files_of_a_folder_that_cannot_be_used_are_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disordered = (CASES / "04-partial-occupancy-cif" / "disordered.cif").read_text()
    folder = tmp_path / "found"
    folder.mkdir()
    (folder / "a.cif").write_text(disordered)
    (folder / "notes.txt").write_text("from the database, 3 June\n")
    with pytest.raises(InputError, match=r"none of its 2 files can be used; .*0\.4 Cu and 0\.6 Pd"):
        EXPLORER.check(settings(structures=[], files=[str(folder)]))
    write(folder / "b.cif", COPPER)
    caplog.clear()
    (run,) = EXPLORER.runs(settings(structures=[], files=[str(folder)]), {}, ["Cu", "Pd"])
    assert run.settings.names == ["b.cif"]
    assert "a.cif: frame 1 of 1 has a site that holds 0.4 Cu and 0.6 Pd" in caplog.text
    assert "notes.txt: cannot be read as structures" in caplog.text
    with pytest.raises(InputError, match=r"0\.4 Cu and 0\.6 Pd"):  # which the user named
        EXPLORER.check(settings(structures=[], files=[str(folder), str(folder / "a.cif")]))


def test_structures_of_the_campaign_and_of_files_are_dealt_to_runs(tmp_path: Path) -> None:
    folder = tmp_path / "slabs"
    folder.mkdir()
    write(folder / "many.extxyz", displaced(COPPER, 3))
    write(folder / "one.cif", COPPER)
    write(tmp_path / "other.extxyz", COPPER)
    entry = settings(files=["slabs", "other.extxyz"], per_run=4).resolved(tmp_path)
    assert entry.paths() == [str(folder), str(tmp_path / "other.extxyz")]
    EXPLORER.check(entry)
    first, second = EXPLORER.runs(entry, {"fcc": COPPER}, ["Cu"])
    assert (first.name, first.length, second.name, second.length) == ("minima-1", 4, "minima-2", 2)
    names = first.settings.names + second.settings.names  # type: ignore[attr-defined]
    assert names == ["fcc", *(f"slabs/many.extxyz-{n}" for n in (1, 2, 3)), "slabs/one.cif", "other.extxyz"]
    assert EXPLORER.RunSettings.model_validate(first.settings.model_dump()) == first.settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"structures": []}, "explorer 'minima' needs `structures` or `files`"),
        ({"cell": False, "pressure_GPa": 1.0}, "pressure_GPa = 1, but its cells are fixed"),
        ({"relaxation": {"fmax": 1}}, "`fmax` in `relaxation` is not a known key"),
        ({"per_run": 0}, "`per_run` is 0"),
    ],
)
def test_what_the_schema_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        settings(**changes)
    assert message in str(error.value)


def test_structures_that_cannot_be_relaxed_as_asked_are_refused(tmp_path: Path) -> None:
    def refusal(atoms: Atoms, **changes: Any) -> str:
        with pytest.raises(InputError) as error:
            EXPLORER.runs(settings(**changes), {"fcc": atoms}, ["Cu"])
        return str(error.value)

    tied = COPPER.copy()
    tied.set_constraint(FixBondLength(0, 1))
    assert refusal(tied) == "structure 'fcc' has a FixBondLengths constraint, but only FixAtoms is supported"
    assert "'fcc' has fixed atoms, but its cell is to relax; use `cell: false`" in refusal(slab())
    assert "have the name 'fcc'" in refusal(COPPER, structures=["fcc", "fcc"])
    with pytest.raises(InputError, match="there is no such file"):
        EXPLORER.check(settings(files="missing.extxyz"))
    with pytest.raises(InputError, match="the folder has no files"):
        EXPLORER.check(settings(files=str(tmp_path)))


def test_it_learns_until_all_minima_are_known_and_they_are_those_of_emt(campaign: Campaign) -> None:
    outcome = campaign.outcome
    assert outcome is not None
    assert outcome.results["converged"] == outcome.results["structures"] == 6
    assert outcome.results["potential_version"] == campaign.host.version
    reference = COPPER.copy()
    reference.set_cell(reference.cell * (3.5897 / 3.6), scale_atoms=True)  # of EMT
    reference.calc = EMT()
    for atoms in outcome.structures:
        energy = atoms.info["energy_eV"] / len(atoms)
        assert energy == pytest.approx(reference.get_potential_energy() / 4, abs=1e-3)
        assert atoms.info["extrapolation_grade"] <= 2.1


def test_it_is_the_same_whatever_came_before(campaign: Campaign) -> None:
    """With the final potential a fresh relaxation comes to the same, bit for bit."""
    later = call(EXPLORER, campaign.run, campaign.calculator, campaign.host)
    fresh = call(EXPLORER, campaign.run, campaign.calculator, MemoryHost(version=campaign.host.version))
    assert facts(later) == facts(fresh)
    assert later.results == fresh.results


def test_only_another_version_relaxes_again(campaign: Campaign) -> None:
    host = MemoryHost()
    first = call(EXPLORER, campaign.run, campaign.calculator, host)
    same = call(EXPLORER, campaign.run, campaign.calculator, host)
    assert facts(first) == facts(same)
    host.version += 1
    again = call(EXPLORER, campaign.run, campaign.calculator, host)
    assert {atoms.info["version"] for atoms in again.structures} == {host.version}


def test_a_run_that_is_killed_at_any_save_comes_to_the_same(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relax, "PORTION", 2)
    monkeypatch.setattr(relax, "SAVED_EVERY_S", 0.0)
    unhurt, killed = MemoryHost(), MemoryHost()
    whole = call(EXPLORER, campaign.run, campaign.calculator, unhurt)
    outcome, kills = call_although_killed(EXPLORER, campaign.run, campaign.calculator, killed)
    assert kills == 3
    assert facts(outcome) == facts(whole)
    assert killed.step == unhurt.step == 6
    assert {"step", "extrapolation_grade", *(c.name for c in EXPLORER.columns)} == set(killed.history)


def test_a_stop_gives_back_what_is_done(campaign: Campaign) -> None:
    host = MemoryHost(patience=3)
    outcome = call(EXPLORER, campaign.run, campaign.calculator, host)
    assert (outcome.state, outcome.reason) == (OutcomeState.PAUSED, "a stop was requested")
    host.patience = 10**6
    assert call(EXPLORER, campaign.run, campaign.calculator, host).state == OutcomeState.FINISHED


def test_unknown_structures_pause_and_their_frames_come_again_after_a_restart(campaign: Campaign) -> None:
    strange = COPPER * (2, 1, 1)
    del strange[0]
    run = Run("minima", _plan(2), [campaign.run.start[0], strange], 2)
    host = MemoryHost(control=GradeControl(gamma_save=2.1, gamma_break=20.0))
    outcome = call(EXPLORER, run, campaign.calculator, host)
    assert outcome.state == OutcomeState.PAUSED
    assert outcome.reason.startswith("1 of 2 structures paused; cell-1: step 0: the extrapolation grade is")
    frames = host.frames.all()
    assert [len(frame) for frame in frames] == [7, 7]  # one is rattled
    assert all(frame.info["extrapolation_grade"] > 2.1 for frame in frames)
    call(EXPLORER, run, campaign.calculator, host)
    for frame, again in zip(frames, host.frames.all(), strict=True):
        np.testing.assert_array_equal(frame.positions, again.positions)


def test_what_cannot_be_relaxed_is_set_aside_with_a_reason(campaign: Campaign) -> None:
    near = COPPER.copy()
    near.positions[1] = near.positions[0] + [0, 0, 0.3]
    cluster = COPPER.copy()
    cluster.pbc = False
    run = Run("minima", _plan(3), [near, campaign.run.start[0], cluster], 3)
    outcome = call(EXPLORER, run, campaign.calculator, MemoryHost())
    assert outcome.state == OutcomeState.FINISHED
    assert (outcome.results["converged"], outcome.results["set_aside"]) == (1, 2)
    reasons = {atoms.info["name"]: atoms.info.get("reason") for atoms in outcome.structures}
    assert reasons["cell-1"] is None
    assert "two atoms are 0.300 Å apart" in reasons["cell-0"]
    assert "not periodic in three directions" in reasons["cell-2"]


def test_slabs_relax_in_their_cell_and_fixed_atoms_stay() -> None:
    start = slab()
    (run,) = EXPLORER.runs(
        settings(cell=False, relaxation=Relaxation(max_force_eV_A=0.005)), {"fcc": start}, ["Cu"]
    )
    stored = start.copy()
    stored.set_constraint()  # as the database does
    outcome = Campaign(
        EXPLORER, Run(run.name, run.settings, [stored], 1), ["Cu"], displaced(start, 4)
    ).to_the_end()
    (relaxed,) = outcome.structures
    reference = start.copy()
    reference.calc = EMT()
    LBFGS(reference, logfile=None).run(fmax=0.005)
    fixed = start.constraints[0].index
    assert len(fixed) == 1
    np.testing.assert_array_equal(relaxed.positions[fixed], start.positions[fixed])
    np.testing.assert_array_equal(relaxed.cell.array, start.cell.array)
    assert relaxed.info["energy_eV"] / 4 == pytest.approx(reference.get_potential_energy() / 4, abs=1e-3)
    np.testing.assert_allclose(relaxed.positions, reference.positions, atol=0.03)
