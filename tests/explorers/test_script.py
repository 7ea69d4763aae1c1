"""Explorer kind `script`: functions of the user's under grade control."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from graded_emt import GradedEMT
from host import MemoryHost, call, call_although_killed

from alflow.errors import InputError
from alflow.explorers import OutcomeState, Run, script
from alflow.explorers.script import EXPLORER, ScriptExplorerSettings
from alflow.simulation import Guards, graded_calculator

COPPER = bulk("Cu", cubic=True, a=3.6)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "scripts"


def settings(script: str = "walk", **changes: Any) -> ScriptExplorerSettings:
    entry = {"name": "mine", "function": f"scripts:{script}", "allow": ["scripts"], "structure": "fcc"}
    return ScriptExplorerSettings(**entry | changes)


def runs(script: str = "walk", atoms: Atoms = COPPER, **changes: Any) -> list[Run]:
    structure = atoms.copy()
    structure.rattle(0.02, seed=1)
    return EXPLORER.runs(settings(script, **changes), {"fcc": structure, "other": structure}, ["Cu"])


def strain_grade(atoms: Atoms) -> float:
    """Grows with compression: 2.1 at 2.75 % and 10 at 22.5 % of the volume."""
    return 1 + 40 * max(0.0, 1 - atoms.cell.volume / COPPER.cell.volume)


def test_structures_and_replicas_multiply() -> None:
    found = runs(structure=["fcc", "other"], replicas=2, seed=5)
    assert [run.name for run in found] == ["mine-fcc-1", "mine-fcc-2", "mine-other-1", "mine-other-2"]
    assert [run.settings.seed for run in found] == [5, 6, 5, 6]  # type: ignore[attr-defined]
    assert EXPLORER.RunSettings.model_validate(found[0].settings.model_dump()) == found[0].settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"allow": []}, "but no module is allowed; name scripts in `allow` of the explorer"),
        (
            {"allow": ["script", "other"]},
            "but only modules of script, other are allowed; name scripts in `allow`",
        ),
        ({"function": "scripts.walk"}, "`function` is 'scripts.walk', but it is written module:function"),
        ({"function": "scripts:run"}, "but scripts has no run"),
        ({"function": "scripts:np"}, "which cannot be called"),
        ({"function": "missing:run", "allow": ["missing"]}, "its folder must be on PYTHONPATH"),
        (
            {"parameters": {"moves": 3}},
            "`parameters` of explorer 'mine' do not fit scripts:walk: got an unexpected",
        ),
        ({"parameters": {"steps": {1, 2}}}, "has a value of type set; plain values are"),
    ],
)
def test_functions_that_cannot_be_called_are_refused_before_the_campaign(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as error:
        EXPLORER.check(settings(**changes))
    assert message in str(error.value)


def test_packages_are_allowed_with_their_modules() -> None:
    EXPLORER.check(settings(function="x", allow=["scripts"]).model_copy(update={"function": "scripts:walk"}))
    assert script.load_function("json.decoder:JSONDecoder", ["json"])
    with pytest.raises(InputError, match="only modules of jso are allowed"):
        script.load_function("json:loads", ["jso"])


def test_a_script_runs_to_its_end_and_its_results_are_plain() -> None:
    host = MemoryHost()
    outcome = call(EXPLORER, runs("compress", parameters={"to": 0.995})[0], GradedEMT(strain_grade), host)
    assert outcome.state == OutcomeState.FINISHED
    assert type(outcome.results["lowest_eV"]) is float
    assert len(outcome.results["energies_eV"]) == 11
    assert len(outcome.structures) == 1
    assert host.step == 11 and not host.frames.all()
    assert {"step", "extrapolation_grade", *(c.name for c in EXPLORER.columns)} == set(host.history)
    np.testing.assert_allclose(host.history["energy_eV"], outcome.results["energies_eV"])


@pytest.mark.parametrize("function", ["compress", "compress_and_ignore"])
def test_extrapolation_pauses_it_whatever_it_does_with_exceptions(function: str) -> None:
    (run,) = runs(function, parameters={"to": 0.9})
    host = MemoryHost()
    outcome = call(EXPLORER, run, GradedEMT(strain_grade), host)
    assert outcome.state == OutcomeState.PAUSED and not outcome.results
    assert "above gamma_break = 10" in outcome.reason
    grades = [frame.info["extrapolation_grade"] for frame in host.frames.all()]
    assert len(grades) == 9 and grades[-1] > 10 >= max(grades[:-1]) and min(grades) > 2.1
    assert host.checkpoint is not None and host.checkpoint["script"] is None
    host.version += 1
    assert call(EXPLORER, run, GradedEMT(), host).state == OutcomeState.FINISHED


def test_it_does_not_compute_after_a_pause() -> None:
    calculator = GradedEMT(lambda atoms: 100.0)
    call(EXPLORER, runs("compress_and_ignore", parameters={"to": 0.9})[0], calculator, MemoryHost())
    assert calculator.evaluations == 1


def test_guards_pause_it() -> None:
    (run,) = runs("compress", parameters={"to": 0.9}, guards=Guards(max_volume_change=0.1))
    assert "the volume has changed by -" in call(EXPLORER, run, GradedEMT(), MemoryHost()).reason
    (run,) = runs("compress", parameters={"to": 0.9}, guards=Guards(min_distance_A=2.4))
    assert "nearer than min_distance_A = 2.4" in call(EXPLORER, run, GradedEMT(), MemoryHost()).reason


def test_a_script_goes_on_from_what_it_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "STORED_EVERY_S", 0.0)
    unhurt, killed = MemoryHost(), MemoryHost()
    whole = call(EXPLORER, runs()[0], GradedEMT(), unhurt)
    outcome, kills = call_although_killed(EXPLORER, runs()[0], GradedEMT(), killed)
    assert kills == 6  # each call comes further than the one before
    assert outcome.results == whole.results
    assert killed.step == unhurt.step == 20


def test_a_pause_keeps_what_was_saved_before_it() -> None:
    (run,) = runs()
    sites = run.start[0].positions
    host = MemoryHost()
    far = GradedEMT(lambda atoms: 1 + 300 * float(np.abs(atoms.positions - sites).max()))
    assert call(EXPLORER, run, far, host).state == OutcomeState.PAUSED
    assert host.checkpoint is not None
    assert 0 < host.checkpoint["script"]["step"] < 20
    resumed = call(EXPLORER, run, GradedEMT(), host)
    assert resumed.results == call(EXPLORER, run, GradedEMT(), MemoryHost()).results


def test_passes_and_replicas_differ_in_their_seeds() -> None:
    first, second = runs(replicas=2)
    energies = {
        call(EXPLORER, run, GradedEMT(), MemoryHost(pass_number=number)).results["energy_eV"]
        for run in (first, second)
        for number in (0, 1)
    }
    assert len(energies) == 4


def test_any_ase_program_can_copy_the_calculator() -> None:
    calculator = GradedEMT()
    outcome = call(EXPLORER, runs("path")[0], calculator, host := MemoryHost())
    assert outcome.state == OutcomeState.FINISHED
    assert host.step == calculator.evaluations >= 3
    assert isinstance(script.GradedCalculator(None), Calculator)  # type: ignore[arg-type]


def test_mistakes_of_a_script_are_errors() -> None:
    with pytest.raises(ZeroDivisionError):
        call(EXPLORER, runs("failing")[0], GradedEMT(), MemoryHost())
    for what, message in (
        ("number", "returned a float, but it must"),
        ("atoms", "has a value of type Atoms"),
    ):
        with pytest.raises(InputError) as error:
            call(EXPLORER, runs("returning", parameters={"what": what})[0], GradedEMT(), MemoryHost())
        assert message in str(error.value)
    assert (
        call(
            EXPLORER, runs("returning", parameters={"what": "nothing"})[0], GradedEMT(), MemoryHost()
        ).results
        == {}
    )


def test_a_stop_pauses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graded_calculator, "ASKED_EVERY_S", 0.0)
    host = MemoryHost(patience=5)
    outcome = call(EXPLORER, runs()[0], GradedEMT(), host)
    assert (outcome.state, outcome.reason) == (OutcomeState.PAUSED, "a stop was requested")
    assert host.checkpoint is not None and host.checkpoint["script"]["step"] == 5


def test_a_long_history_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graded_calculator, "RECORDED", 8)
    host = MemoryHost()
    call(EXPLORER, runs()[0], GradedEMT(), host)
    assert host.history["step"].tolist() == [4, 8, 12, 16, 20]


class Spring(Calculator):
    """Atoms bound to their sites, without any other force: the mean energy is 3/2 k_B T per atom."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def __init__(self, sites: np.ndarray) -> None:
        super().__init__()
        self.sites = sites

    def calculate(self, atoms: Any = None, properties: Any = (), system_changes: Any = ()) -> None:
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        away = self.atoms.positions - self.sites
        self.results = {"energy": float((away**2).sum()), "forces": -2 * away, "extrapolation_grade": 1.0}


def test_the_example_samples_the_canonical_ensemble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delitem(sys.modules, "hybrid_monte_carlo", raising=False)
    parameters = {"temperature_K": 600.0, "moves": 150, "steps": 8, "timestep_fs": 12.0}
    entry = {
        "function": "hybrid_monte_carlo:sample",
        "allow": ["hybrid_monte_carlo"],
        "parameters": parameters,
    }
    EXPLORER.check(settings(**entry))
    (run,) = runs(atoms=COPPER, **entry)
    outcome = call(EXPLORER, run, Spring(COPPER.positions), MemoryHost())
    expected_eV = 1.5 * 4 * units.kB * 600
    error_eV = (
        np.sqrt(1.5 * 4) * units.kB * 600 / np.sqrt(150 / 4)
    )  # of 150 moves, correlated over four at most
    assert abs(outcome.results["mean_energy_eV"] - expected_eV) < 3.5 * error_eV
    assert 0.3 < outcome.results["acceptance"] < 0.999
