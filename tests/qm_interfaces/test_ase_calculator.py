from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.lj import LennardJones

from qm_interfaces import CodeMissing, NotConverged, SettingsError, get_interface


def test_parameters_reach_the_calculator(tmp_path: Path) -> None:
    atoms = bulk("Ar", a=5.3, cubic=True)
    atoms.rattle(0.1, seed=0)
    parameters = {"sigma": 3.4, "epsilon": 0.01, "rc": 8.0}
    interface = get_interface("ase", calculator="ase.calculators.lj.LennardJones", parameters=parameters)
    result = interface.compute(atoms, tmp_path)
    assert atoms.calc is None
    atoms.calc = LennardJones(**parameters)
    assert result.energy_eV == atoms.get_potential_energy()
    np.testing.assert_array_equal(result.forces_eV_A, atoms.get_forces())
    np.testing.assert_array_equal(result.stress_eV_A3, atoms.get_stress())
    assert interface.level_of_theory()["parameters"] == parameters


def test_no_stress_without_a_periodic_cell_or_when_not_asked(tmp_path: Path) -> None:
    interface = get_interface("ase", calculator="ase.calculators.emt.EMT")
    assert interface.compute(molecule("CO"), tmp_path).stress_eV_A3 is None
    interface = get_interface("ase", calculator="ase.calculators.emt.EMT", stress=False)
    assert interface.compute(bulk("Cu"), tmp_path).stress_eV_A3 is None


@pytest.mark.parametrize(
    ("calculator", "allow", "error", "reason"),
    [
        ("ase.calculators.emt.parameters", [], SettingsError, "not an ASE calculator"),
        ("ase.calculators.emt.Nothing", [], SettingsError, "has no Nothing"),
        ("ase.calculators.nothing.Nothing", [], CodeMissing, "importing it fails"),
        ("ase.calculators.emt.np.ndarray", [], CodeMissing, "importing it fails"),
    ],
)
def test_what_cannot_be_loaded(
    calculator: str, allow: list[str], error: type[Exception], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=reason):
        get_interface("ase", calculator=calculator, allow=allow).compute(Atoms("Cu"), tmp_path)


class Foreign(LennardJones):
    pass


def test_a_class_must_also_be_defined_where_it_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ase.calculators.lj.Foreign", Foreign, raising=False)
    with pytest.raises(SettingsError, match=r"only classes from ase\.calculators are allowed"):
        get_interface("ase", calculator="ase.calculators.lj.Foreign").compute(bulk("Ar"), tmp_path)
    home = Foreign.__module__
    allowed = get_interface("ase", calculator=f"{home}.Foreign", allow=[home])
    assert allowed.compute(bulk("Ar"), tmp_path).energy_eV <= 0


class Talking(LennardJones):
    """Writes what it is told to into its output file, and goes on."""

    says = ""

    def calculate(self, *args: object, **kwargs: object) -> None:
        Path(self.directory, "code.out").write_text(self.says)
        super().calculate(*args, **kwargs)


def talking() -> Talking:
    return Talking()


def test_what_a_code_says_of_convergence_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Talking.__module__
    options = {"calculator": f"{home}.Talking", "allow": [home], "unconverged": "SCF failed"}
    monkeypatch.setattr(Talking, "says", "warning: SCF failed")
    with pytest.raises(NotConverged, match="SCF failed"):
        get_interface("ase", **options).compute(bulk("Ar"), tmp_path)
    monkeypatch.setattr(Talking, "says", "all is well")
    (tmp_path / "old.out").write_text("SCF failed")  # in an earlier attempt
    assert get_interface("ase", **options).compute(bulk("Ar"), tmp_path).energy_eV <= 0


def test_errors_of_convergence_of_the_code_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class KohnShamConvergenceError(RuntimeError):
        pass

    def calculate(*_: object, **__: object) -> None:
        raise KohnShamConvergenceError

    monkeypatch.setattr(Talking, "calculate", calculate)
    home = Talking.__module__
    with pytest.raises(NotConverged, match="KohnShamConvergenceError"):
        get_interface("ase", calculator=f"{home}.Talking", allow=[home]).compute(bulk("Ar"), tmp_path)


def test_functions_make_calculators_only_where_they_are_allowed(tmp_path: Path) -> None:
    home = talking.__module__
    made = get_interface("ase", calculator=f"{home}.talking", allow=[home])
    assert made.compute(bulk("Ar"), tmp_path).energy_eV <= 0
    with pytest.raises(SettingsError, match="not an ASE calculator"):
        get_interface("ase", calculator="ase.calculators.calculator.equal").compute(bulk("Ar"), tmp_path)
