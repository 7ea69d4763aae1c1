"""The results of a screening as files: tables, the figure, structures, entries for phase diagrams."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.build import sort

from alflow.files import write_completely, written_completely
from alflow.structures.files import write_structures
from workflows.hull_screening.compounds import Compound
from workflows.hull_screening.figures import hull_figure
from workflows.hull_screening.results import HullData

PNG_DPI = 200


def write_hull(data: HullData, folder: str | Path) -> list[Path]:
    """Write the results to a folder, and create it; files of an earlier call are replaced.

    `hull.csv`, `hull.json`; `hull.png` for two or three species; `hull.extxyz`, and each structure in
    `structures/` as POSCAR and CIF; `entries.json` for pymatgen's `PhaseDiagram`.

    Returns
    -------
    list of Path
        The files written to the folder itself.
    """
    folder = Path(folder)
    (folder / "structures").mkdir(parents=True, exist_ok=True)
    for earlier in (folder / "structures").glob("[0-9][0-9][0-9]-*"):
        earlier.unlink()
    rows = [compound.row(data.species) for compound in data.compounds]
    table = StringIO(newline="")
    writer = csv.DictWriter(table, list(rows[0]) if rows else ["formula"])
    writer.writeheader()
    writer.writerows(rows)
    write_completely(folder / "hull.csv", table.getvalue())
    _write_json(folder / "hull.json", data.summary())
    _write_json(folder / "entries.json", [phase_entry(compound) for compound in data.compounds])
    written = [folder / name for name in ("hull.csv", "hull.json", "entries.json")]
    if (figure := hull_figure(data)) is not None:
        with written_completely(folder / "hull.png") as beside:
            figure.savefig(beside, dpi=PNG_DPI, metadata={"Software": None})
        written.append(folder / "hull.png")
    if data.compounds:
        structures = [_described(compound, row) for compound, row in zip(data.compounds, rows, strict=True)]
        write_structures(folder / "hull.extxyz", structures)
        written.append(folder / "hull.extxyz")
        for name, atoms in zip(_file_names(data), structures, strict=True):
            write_structures(folder / "structures" / f"{name}.POSCAR", [atoms])
            write_structures(folder / "structures" / f"{name}.cif", [atoms])
    return written


def phase_entry(compound: Compound) -> dict[str, Any]:
    """A `ComputedStructureEntry` of pymatgen as the plain dictionary from which monty builds it."""
    atoms = compound.atoms
    sites = zip(atoms.symbols, atoms.get_scaled_positions(wrap=False).tolist(), strict=True)
    structure = {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "lattice": {"matrix": atoms.cell.array.tolist()},
        "sites": [{"species": [{"element": symbol, "occu": 1}], "abc": place} for symbol, place in sites],
    }
    return {
        "@module": "pymatgen.entries.computed_entries",
        "@class": "ComputedStructureEntry",
        "entry_id": compound.name,
        "energy": compound.energy_eV * len(atoms),
        "composition": dict(Counter(atoms.symbols)),
        "structure": structure,
        "correction": 0.0,
        "parameters": {},
        "data": {"space_group": compound.space_group, "above_hull_eV_per_atom": compound.above_hull_eV},
    }


def _described(compound: Compound, row: dict[str, Any]) -> Atoms:
    """The compound's structure, sorted by species as in POSCAR files, with the row of the table."""
    atoms: Atoms = sort(Atoms(compound.atoms))
    atoms.info = {key: value for key, value in row.items() if not key.startswith("fraction_")}
    return atoms


def _file_names(data: HullData) -> list[str]:
    names = (re.sub(r"[^A-Za-z0-9.-]", "-", f"{c.formula}-{c.name}") for c in data.compounds)
    return [f"{number:03d}-{name}" for number, name in enumerate(names, start=1)]


def _write_json(path: Path, data: Any) -> None:
    write_completely(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
