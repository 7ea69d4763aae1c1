"""The same small campaign of fcc aluminium with four codes: what labels cost, and what went wrong on the way.

    python benchmarks/aluminium.py [espresso orbital-free vasp ase] [--folder runs/aluminium]

Cells of 4, 8 and 32 atoms at 300, 600 and 900 K. `espresso` needs pw.x and an LDA pseudopotential of Debian's
quantum-espresso-data, `orbital-free` DFTpy; `vasp` is the stand-in of the tests, which computes with
effective-medium theory, with accidents planted in a third of the configurations. Codes that are not here are
left out. What has been run stays in the folder, and is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from alflow.cli.database_options import connected

TESTS = Path(__file__).resolve().parents[1] / "tests" / "qm_interfaces"
PSEUDOPOTENTIAL = Path("/usr/share/espresso/pseudo/Al.pz-vbc.UPF")
TITLE = "PAW_PBE Al 04Jan2001"
POTCAR = f"""\
  {TITLE}
   3.00000000000000
 parameters from PSCTR are:
   VRHFIN =Al: s2p1
   LEXCH  = PE
   TITEL  = {TITLE}
   POMASS =   26.982; ZVAL   =    3.000    mass and valenz
   ENMAX  =  240.300; ENMIN  =  180.225 eV
END of PSCTR-controll parameters
 local part
  0.10E+01 0.20E+01 0.30E+01
End of Dataset
"""
ACCIDENTS = {"modes": ["edddav", "unconverged-once", "truncated-xml", "crash"], "probability": 0.33}
FCC = {"element": "Al", "crystal": "fcc", "a_A": 4.04, "cubic": True}
CAMPAIGN: dict[str, Any] = {
    "species": ["Al"],
    "structures": [
        {"name": "fcc-4", "build": FCC},
        {"name": "fcc-8", "build": FCC | {"repeat": [1, 1, 2]}},
        {"name": "fcc-32", "build": FCC | {"repeat": [2, 2, 2]}},
    ],
    "potential": {"level": 8, "cutoff_A": 5.0, "min_distance_A": 1.9},
    "explorers": [
        {
            "name": "nvt",
            "structure": ["fcc-4", "fcc-8", "fcc-32"],
            "temperature_K": [300, 600, 900],
            "timestep_fs": 2.0,
            "duration_ps": 1.0,
        }
    ],
    "selection": {"labels_per_round": 4},
    "initial": {"count": 6},
    "stop": {"max_rounds": 20, "max_labels": 60},
}


@dataclass(frozen=True)
class Code:
    """One way to label, and what of this machine it needs."""

    level: str
    present: bool
    options: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)


def codes(folder: Path) -> dict[str, Code]:
    potcar = folder / "potentials" / "potpaw_PBE" / "Al" / "POTCAR"
    potcar.parent.mkdir(parents=True, exist_ok=True)
    potcar.write_text(POTCAR)
    plan = folder / "accidents.json"
    plan.write_text(json.dumps(ACCIDENTS))
    paths = [str(TESTS / "fake_vasp"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {
        "espresso": Code(
            "LDA, 15 Ry, k 0.5/Å",
            shutil.which("pw.x") is not None and PSEUDOPOTENTIAL.is_file(),
            {
                "pseudopotentials": {"Al": str(PSEUDOPOTENTIAL)},
                "ecutwfc_Ry": 15,
                "kpoints": {"spacing_per_A": 0.5},
                "degauss_Ry": 0.05,
            },
        ),
        "orbital-free": Code(
            "LDA, Wang–Teter, 0.36 Å",
            find_spec("dftpy") is not None,
            {"pseudopotentials": {"Al": "goodwin-needs-heine"}},
        ),
        "vasp": Code(
            "stand-in, 400 eV, k 0.25/Å",
            find_spec("pymatgen") is not None,
            {
                "xc": "pbe",
                "incar": {"ENCUT": 400, "ISMEAR": 1, "SIGMA": 0.2, "EDIFF": 1e-6, "ISYM": 0},
                "kpoints": {"spacing_per_A": 0.25},
                "potcar": {"Al": TITLE},
            },
            {
                "PATH": os.pathsep.join(paths),
                "VASP_PP_PATH": str(folder / "potentials"),
                "FAKE_VASP": str(plan),
            },
        ),
        "ase": Code("effective-medium theory", True, {"calculator": "ase.calculators.emt.EMT"}),
    }


def run(name: str, code: Code, folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The document of the campaign and its labels; the campaign goes on where it was."""
    file = folder / f"al-{name}.yaml"
    qm = {"interface": name, "options": code.options, "timeout_s": 1800, "retries": 1}
    file.write_text(yaml.safe_dump({"name": f"al-{name}", **CAMPAIGN, "qm": qm}, sort_keys=False))
    command = [sys.executable, "-c", "from alflow.cli import main; main()", "run", str(file), "--json"]
    with (folder / f"al-{name}.json").open("wb") as output:
        environment = os.environ | code.environment
        subprocess.run([*command, "--workers", "1"], stdout=output, env=environment, check=False)
    with connected(str(file), None, None) as connection:
        store = connection.store
        return store.campaigns.get(connection.campaign), store.labels.find(connection.campaign)


def row(name: str, code: Code, campaign: dict[str, Any], labels: list[dict[str, Any]]) -> list[str]:
    states = [label["state"] for label in labels]
    corrections = sum(len(label.get("details", {}).get("corrections", [])) for label in labels)
    seconds = [label["wall_time_s"] for label in labels if label["state"] == "done"]
    levels = {label["level_hash"][:8] for label in labels}
    return [
        name,
        f"{code.level} ({', '.join(levels)})",
        f"{campaign['state']}, {campaign['round']} rounds",
        *(str(states.count(state)) for state in ("done", "failed", "rejected")),
        str(sum(label["attempts"] - 1 for label in labels)),
        str(corrections),
        f"{statistics.median(seconds):.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("codes", nargs="*")
    parser.add_argument("--folder", type=Path, default=Path("runs/aluminium"))
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    known = codes(folder)
    head = "code|level of theory|campaign|done|failed|rejected|retries|corrections|s a label, median|s in all"
    print(f"| {head.replace('|', ' | ')} |\n{'|---' * len(head.split('|'))}|", flush=True)
    for name in arguments.codes or known:
        if not known[name].present:
            print(f"{name} is not installed", file=sys.stderr)
            continue
        began = time.monotonic()
        columns = row(name, known[name], *run(name, known[name], folder))
        print(f"| {' | '.join([*columns, f'{time.monotonic() - began:.0f}'])} |", flush=True)


if __name__ == "__main__":
    main()
