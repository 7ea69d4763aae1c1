from __future__ import annotations

import json
from typing import Any

import pytest

from qm_interfaces import QMError, SettingsError, get_interface
from qm_interfaces.registry import OWN

NEEDED: dict[str, dict[str, Any]] = {
    "ase": {"calculator": "ase.calculators.emt.EMT"},
    "espresso": {
        "pseudopotentials": {"Al": __file__},  # no more than its hash is asked for
        "ecutwfc_Ry": 20.0,
        "kpoints": {"mesh": [2, 2, 2]},
    },
    "gaussian": {"method": "hf", "basis": "sto-3g"},
    "pyscf": {"method": "hf", "basis": "sto-3g"},
    "vasp": {
        "xc": "pbe",
        "incar": {"ENCUT": 400, "ISMEAR": 1},
        "kpoints": {"spacing_per_A": 0.2},
        "potcar": {"Al": "PAW_PBE Al 04Jan2001"},
    },
}


@pytest.mark.parametrize("name", OWN)
def test_every_interface_has_a_plain_level_of_theory(name: str) -> None:
    interface = get_interface(name, **NEEDED.get(name, {}))
    level = interface.level_of_theory()
    assert interface.name == name
    assert json.loads(json.dumps(level)) == level
    assert level == get_interface(name, **NEEDED.get(name, {})).level_of_theory()


@pytest.mark.parametrize(
    ("name", "options", "names"),
    [
        ("vapor", {}, "'vapor'"),
        ("mock", {"probability": 0.1}, "'probability'"),
        ("mock", {"calculator": "eam"}, "'calculator' is 'eam'"),
        ("mock", {"fail_probability": -0.1}, "'fail_probability' is -0.1"),
        ("mock", {"fail_probability": "often"}, "'fail_probability' is 'often'"),
        ("mock", {"fail_probability": 0.7, "hang_probability": 0.5}, "1.2"),
        ("mock", {"seed": 1.5}, "'seed' is 1.5"),
        ("ase", {}, "'calculator'"),
        ("ase", {"calculator": "EMT"}, "'EMT'"),
        ("ase", {"calculator": "os.system"}, "'os.system'"),
        ("ase", {"calculator": "ase.calculatorsx.Y"}, "'ase.calculatorsx.Y'"),
        ("ase", {"calculator": "ase.calculators.emt.EMT", "parameters": [1]}, "'parameters'"),
        ("ase", {"calculator": "ase.calculators.emt.EMT", "parameters": {"f": print}}, "'parameters'"),
        ("ase", {"calculator": "ase.calculators.emt.EMT", "allow": "os"}, "'allow'"),
        ("orbital-free", {"kinetic": "HOHENBERG"}, "'kinetic' is 'HOHENBERG'"),
        ("orbital-free", {"xc": "B3LYP"}, "'xc'"),
        ("orbital-free", {"spacing_A": 0}, "'spacing_A' is 0"),
        ("orbital-free", {"spacing_A": float("nan")}, "'spacing_A' is nan"),
        ("orbital-free", {"max_iterations": True}, "'max_iterations'"),
        ("orbital-free", {"pseudopotentials": {"Fe": "evanescent-core"}}, "'pseudopotentials.Fe'"),
        ("orbital-free", {"pseudopotentials": {"Li": "Li.recpot"}}, "'pseudopotentials.Li'"),
        (
            "orbital-free",
            {"pseudopotentials": {"K": {"valence": 1, "alpha": 0.5, "radius_bohr": 0.7}}},
            "'pseudopotentials.K.alpha' is 0.5",
        ),
    ],
)
def test_wrong_options_are_named(name: str, options: dict[str, Any], names: str) -> None:
    with pytest.raises(SettingsError) as caught:
        get_interface(name, **options)
    assert names in caught.value.reason
    assert not caught.value.retryable


@pytest.mark.parametrize("kind", QMError.__subclasses__())
@pytest.mark.parametrize("retryable", [None, True, False])
def test_errors_survive_the_way_through_a_file(kind: type[QMError], retryable: bool | None) -> None:
    error = kind("because", retryable=retryable)
    copy = QMError.from_dict(json.loads(json.dumps(error.to_dict())))
    assert (type(copy), copy.reason, copy.retryable) == (kind, "because", error.retryable)
