"""Explorer kind `md`: its settings, its runs, and how a run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from numpy.typing import NDArray

from alflow.errors import InputError
from alflow.explorers.md import EXPLORER, MDExplorerSettings, MDRunSettings
from alflow.explorers.protocol import OutcomeState
from alflow.potentials import PotentialCalculator
from alflow.potentials.mtp import MomentTensorPotential
from alflow.selection import ActiveSet
from alflow.simulation import CandidateFrames, GradeControl, Guards, TemperatureRamp

LITHIUM = bulk("Li", cubic=True) * (3, 3, 3)


def settings(**changes: Any) -> MDExplorerSettings:
    return MDExplorerSettings(
        **{"name": "heat", "structure": "Li", "temperature_K": 50, "steps": 30} | changes
    )


def runs(**changes: Any) -> list[tuple[str, MDRunSettings]]:
    structures = {"Li": LITHIUM, "strained": LITHIUM}
    return [(run.name, run.settings) for run in EXPLORER.runs(settings(**changes), structures, ["Li"])]  # type: ignore[misc]


def test_lists_multiply_and_what_differs_is_in_the_names() -> None:
    found = runs(
        structure=["Li", "strained"],
        ensemble="npt",
        temperature_K=[300, {"from": 300, "to": 1500}],
        pressure_GPa=[0, {"from": -5, "to": 10}],
        replicas=2,
        seed=7,
    )
    assert len(found) == 16
    assert [name for name, _ in found[:9]] == [
        "heat-Li-300K-0GPa-1",
        "heat-Li-300K-0GPa-2",
        "heat-Li-300K--5-10GPa-1",
        "heat-Li-300K--5-10GPa-2",
        "heat-Li-300-1500K-0GPa-1",
        "heat-Li-300-1500K-0GPa-2",
        "heat-Li-300-1500K--5-10GPa-1",
        "heat-Li-300-1500K--5-10GPa-2",
        "heat-strained-300K-0GPa-1",
    ]
    assert [plan.seed for _, plan in found[:2]] == [7, 8]
    assert found[4][1].temperature_K == TemperatureRamp.between(300, 1500)


def test_one_ramp_is_one_run_and_the_method_reaches_it() -> None:
    method = {
        "ensemble": "npt",
        "npt_cell": "axes",
        "barostat_time_fs": 500.0,
        "friction_per_fs": 0.02,
        "timestep_fs": 2.0,
        "grade_every": 5,
        "threads": 2,
        "guards": Guards(max_temperature_K=2000.0),
    }
    ((name, plan),) = runs(temperature_K={"from": 300, "to": 1500}, steps=None, duration_ps=1.0, **method)
    assert (name, plan.steps) == ("heat", 500)
    assert {key: getattr(plan, key) for key in method} == method
    assert EXPLORER.progress(plan, 250) == (0.5, "ps")


def test_stored_runs_are_read_again_also_those_of_an_earlier_release() -> None:
    ((_, plan),) = runs(ensemble="npt", npt_cell="free", pressure_GPa={"from": 0, "to": 3})
    assert MDRunSettings.model_validate(plan.model_dump()) == plan
    old = {
        "structure": "Li",
        "ensemble": "nvt",
        "temperature_K": 50.0,
        "pressure_GPa": 0.0,
        "timestep_fs": 1.0,
        "steps": 30,
        "friction_per_fs": 0.01,
        "seed": 0,
        "guards": {"min_distance_A": 0.5, "max_temperature_K": 10000.0, "max_volume_change": 0.5},
    }
    ((_, today),) = runs()
    assert MDRunSettings.model_validate(old) == today


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"temperature_K": [300, {"from": 1, "too": 2}]},
            "`too` in `temperature_K[1]` is not a known key; did you",
        ),
        ({"temperature_K": [300, -3]}, "`temperature_K[1]` is -3, but it must be greater than or equal to 0"),
        ({"temperature_K": {"from": 3}}, "`temperature_K.to` is missing"),
        ({"npt_cell": "free"}, "npt_cell is 'free', but the cell does not change in ensemble 'nvt'"),
        ({"barostat_time_fs": 1}, "`barostat_time_fs` is 1, but it must be greater than or equal to 10"),
        ({"grade_every": 0}, "`grade_every` is 0, but it must be greater than or equal to 1"),
        ({"threads": 0}, "`threads` is 0, but it must be greater than or equal to 1"),
        ({"duration_ps": 1.0}, "explorer 'heat' needs either `duration_ps` or `steps`, and not both"),
    ],
)
def test_what_the_schema_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        settings(**changes)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ensemble": "nve", "temperature_K": {"from": 1, "to": 2}}, "ensemble 'nve' has no thermostat"),
        ({"temperature_K": [300, 0]}, "temperature_K is 0, but the thermostat"),
        ({"pressure_GPa": [0, {"from": 1, "to": 2}]}, "ensemble 'nvt' has no barostat"),
        (
            {"temperature_K": [300, {"from": 1, "to": 9000}], "guards": Guards(max_temperature_K=8000.0)},
            "max_temperature_K is 8000, but must be above temperature_K = 9000",
        ),
    ],
)
def test_combinations_that_cannot_be_run_are_found_before_the_campaign(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as error:
        EXPLORER.check(settings(**changes))
    assert str(error.value).startswith("explorer 'heat': ")
    assert message in str(error.value)


class Keeper:
    """A host that keeps everything in memory."""

    version, pass_number = 1, 0
    control = GradeControl()

    def __init__(self, patience: int = 10**6) -> None:
        self.frames = CandidateFrames(self.control.max_saved)
        self.checkpoint: Mapping[str, Any] | None = None
        self.step = 0
        self.history: Mapping[str, NDArray[Any]] = {}
        self.patience = patience

    def save_frame(self, atoms: Atoms, extrapolation_grade: float, step: int) -> None:
        self.frames.offer(atoms, step, extrapolation_grade)

    def visit(self, atoms: Atoms, step: int, extrapolation_grade: float) -> None: ...

    def save_progress(
        self, checkpoint: Mapping[str, Any], *, step: int, history: Mapping[str, NDArray[Any]]
    ) -> None:
        self.checkpoint, self.step, self.history = checkpoint, step, history

    def show_progress(self, step: int) -> None: ...

    def stop_requested(self) -> bool:
        self.patience -= 1
        return self.patience < 0


@pytest.fixture(scope="module")
def calculator() -> PotentialCalculator:
    """Of a small random potential that knows lithium as it vibrates at 50 K."""
    potential = MomentTensorPotential.random(("Li",), 6, 4.0, min_distance_A=2.0)
    known = [LITHIUM.copy() for _ in range(20)]
    for seed, atoms in enumerate(known):
        atoms.rattle(0.3, seed=seed)
    return PotentialCalculator(
        potential, active_set=ActiveSet.from_structures(potential, known, "neighborhood")
    )


def test_a_run_that_was_stopped_goes_on_to_the_same_end(calculator: PotentialCalculator) -> None:
    ((_, plan),) = runs(ensemble="npt", npt_cell="axes", temperature_K={"from": 10, "to": 50}, threads=2)
    whole, host = Keeper(), Keeper(patience=12)
    assert EXPLORER.run(plan, [LITHIUM], None, calculator, whole).state == OutcomeState.FINISHED
    assert calculator.threads == 2
    assert EXPLORER.run(plan, [LITHIUM], None, calculator, host).state == OutcomeState.PAUSED
    assert host.step == 12
    host.patience = 1000
    assert EXPLORER.run(plan, [LITHIUM], host.checkpoint, calculator, host).state == OutcomeState.FINISHED
    assert host.step == whole.step == 30
    assert host.checkpoint is not None and whole.checkpoint is not None
    np.testing.assert_allclose(host.checkpoint["positions"], whole.checkpoint["positions"], atol=1e-9)
    assert {"step", "extrapolation_grade", *(c.name for c in EXPLORER.columns)} == set(whole.history)


def test_extrapolation_pauses_the_run_and_its_frames_are_the_hosts(calculator: PotentialCalculator) -> None:
    ((_, plan),) = runs(temperature_K=3000, steps=2000)
    host = Keeper()
    outcome = EXPLORER.run(plan, [LITHIUM], None, calculator, host)
    assert outcome.state == OutcomeState.PAUSED
    assert "above gamma_break = 10" in outcome.reason
    kept = host.frames.all()
    assert kept[-1].info["extrapolation_grade"] > 10
    assert host.step < kept[0].info["step"]
