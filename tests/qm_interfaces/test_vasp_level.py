"""The guard: what a correction may change, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qm_interfaces.vasp_level import MAY_DIFFER, VaspInputs, canonical, level_changes, level_of_incar, restore

pytest.importorskip("pymatgen", reason="reads INCAR and KPOINTS")

INCAR = {"ENCUT": "400", "ISMEAR": "1", "SIGMA": "0.2", "PREC": "Accurate", "ALGO": "Normal", "NBANDS": "20"}


def inputs(
    mesh: str = "4 4 4", style: str = "Gamma", title: str = "PAW_PBE Al 04Jan2001", **incar: str
) -> VaspInputs:
    lines = (f"{key} = {value}" for key, value in (INCAR | incar).items() if value)
    return VaspInputs(
        {
            "INCAR": "\n".join(lines),
            "KPOINTS": f"mesh\n0\n{style}\n{mesh}\n0 0 0\n",
            "POSCAR": "",
            "POTCAR": f"  {title}\n   TITEL  = {title}\nEnd of Dataset\n",
        }
    )


@pytest.mark.parametrize(
    ("used", "change"),
    [
        (inputs(ENCUT="300"), "INCAR ENCUT is 300 instead of 400"),
        (inputs(ISMEAR="0"), "INCAR ISMEAR is 0 instead of 1"),
        (inputs(SIGMA="0.05"), "INCAR SIGMA is 0.05 instead of 0.2"),
        (inputs(SYMPREC="1e-6"), "INCAR SYMPREC is 1e-06 instead of 1e-05"),
        (inputs(ISYM="0"), "INCAR ISYM is 0 instead of not set"),
        (inputs(LREAL="Auto"), "INCAR LREAL is auto instead of False"),
        (inputs(PREC="Normal"), "INCAR PREC is normal instead of accurate"),
        (inputs(EDIFF="1e-3"), "INCAR EDIFF is 0.001 instead of 0.0001"),
        (inputs(GGA="PS"), "INCAR GGA is ps instead of pe"),
        (inputs(ICHARG="11"), "INCAR ICHARG is 11 instead of not set"),
        (inputs(ALGO="None"), "INCAR ALGO is none instead of normal"),
        (inputs(NBANDS="10"), "INCAR NBANDS is 10 instead of 20"),
        (inputs(IBRION="5"), "INCAR IBRION is 5 instead of -1"),
        (inputs(ISIF="0"), "INCAR ISIF is 0 instead of 2"),
        (inputs(NSW="5", IBRION="2"), "INCAR NSW is 5 instead of 0"),
        (inputs(ISMEAR=""), ""),
        (inputs(PREC=""), "INCAR PREC is normal instead of accurate"),
        (inputs(mesh="1 1 1"), "KPOINTS is Gamma [(1, 1, 1)] instead of Gamma [(4, 4, 4)]"),
        (inputs(style="Monkhorst"), "KPOINTS is Monkhorst [(4, 4, 4)] instead of Gamma [(4, 4, 4)]"),
        (
            inputs(title="PAW_PBE Al_GW 19Mar2012"),
            "POTCAR is PAW_PBE Al_GW 19Mar2012 instead of PAW_PBE Al 04Jan2001",
        ),
    ],
)
def test_what_changes_energies_is_found(used: VaspInputs, change: str) -> None:
    assert level_changes(inputs(), used) == ([change] if change else [])


def test_what_does_not_change_energies_is_let_through() -> None:
    corrected = inputs(
        ALGO="All",
        ISEARCH="1",
        NELM="200",
        AMIX="0.1",
        NBANDS="24",
        NCORE="2",
        ICHARG="1",
        ENCUT="400.0",
        GGA="PE",
        ISIF="3",
        IBRION="2",
        PSTRESS="10",
    )
    assert level_changes(inputs(), corrected) == []
    assert all(reason for reason in MAY_DIFFER.values())


@given(st.dictionaries(st.sampled_from([*INCAR, *MAY_DIFFER]), st.integers(1, 9).map(float)))
def test_the_level_knows_no_harmless_key(incar: dict[str, float]) -> None:
    level = level_of_incar(incar)
    assert level == level_of_incar({key: int(value) for key, value in incar.items()})
    assert level.keys() == incar.keys() - MAY_DIFFER.keys()
    assert canonical("Accurate") == canonical(" accurate ") and canonical(".FALSE.") is False


@pytest.mark.parametrize(
    ("used", "start"),
    [(inputs(ISMEAR="0", ALGO="All"), (1, 0)), (inputs(ISYM="0", ALGO="All"), (0, 1))],
)
def test_the_level_is_restored_from_what_the_last_run_found(
    tmp_path: Path, used: VaspInputs, start: tuple[int, int]
) -> None:
    for name, text in used.texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "WAVECAR").write_text("orbitals")
    (tmp_path / "CHGCAR").write_text("density")
    restore(inputs(), tmp_path)
    restored = VaspInputs.read(tmp_path)
    assert level_changes(inputs(), restored) == []
    assert restored.incar()["ALGO"] == "all"
    assert (restored.incar()["ISTART"], restored.incar()["ICHARG"]) == start
    assert (tmp_path / "WAVECAR").exists() == (start[0] == 1)
