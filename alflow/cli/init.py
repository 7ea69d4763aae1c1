"""`alflow init`: a commented campaign file that runs as it is."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from alflow.cli.output import JsonOption, print_json, print_note
from alflow.errors import InputError


def init(
    structure: Annotated[
        Path, typer.Argument(help="Starting structure, in any format that ASE reads; the last of the file.")
    ],
    qm: Annotated[
        str, typer.Option("--qm", help="espresso, vasp, gpaw, pyscf, gaussian, orbital-free or ase.")
    ],
    simulate: Annotated[Literal["md", "relax"], typer.Option(help="What to simulate.")] = "md",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write; default: named after STRUCTURE."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a commented campaign file for a structure; an existing file is never overwritten.

    Example: alflow init POSCAR --qm espresso -o si.yaml
    """
    import yaml

    from alflow.campaign.file import parse_campaign
    from alflow.structures.files import read_structures
    from qm_interfaces.suggestion import suggest
    from workflows.active_learning.new_file import campaign_text

    stem = re.sub(r"[^\w.+-]", "-", structure.stem, flags=re.ASCII).strip(".-") or "campaign"
    path = output or Path(f"{stem}.yaml")
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path}: the name of a campaign file ends in .yaml")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; make it first")
    atoms = read_structures(structure)
    file = Path(os.path.relpath(structure.resolve(), path.resolve().parent))
    name = re.sub(r"[^\w.+-]", "-", path.stem, flags=re.ASCII).strip(".-") or stem
    text = campaign_text(name, atoms[-1], file, suggest(qm, atoms[-1:]), simulate=simulate)
    if len(atoms) > 1:
        text = text.replace("\n    repeat:", "\n    index: -1\n    repeat:", 1)
    parse_campaign(yaml.safe_load(text), str(path))
    try:
        with path.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        raise InputError(f"{path}: exists already; give another name with -o") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    if json:
        print_json({"file": path})
    else:
        print_note(f"{path}: read it, then run `alflow check {path}` and `alflow run {path}`")
