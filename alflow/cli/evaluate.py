"""`alflow evaluate`: the errors of a potential on labelled structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alflow.cli.output import (
    FormatOption,
    JsonOption,
    KeysOption,
    check_writable,
    parse_keys,
    parse_species,
    print_errors,
    print_json,
    print_note,
)
from alflow.errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

    from alflow.potentials.predictions import Prediction

GROUP_KEYS = ("group", "config_type")
NO_GROUP = "(none)"
ALL = "all structures"


def evaluate(
    potential: Annotated[Path, typer.Argument(help="File of the potential, such as MLIP's .mtp or .almtp.")],
    data: Annotated[Path, typer.Argument(help="Labelled structures: extended XYZ, MLIP .cfg, OUTCAR, …")],
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="KEY",
            help="Key that tells the group of a structure in extended XYZ. Default: group or config_type.",
        ),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="File for labels and predictions: .extxyz, or a table as .csv.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Parity plot to write (.png).")] = None,
    species: Annotated[
        str | None, typer.Option(help="Elements of the types, e.g. Cu,Pd; for files that do not name them.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
    keys: KeysOption = None,
    file_format: FormatOption = None,
    json: JsonOption = False,
) -> None:
    """Errors of a potential on labelled structures, all and by group: MAE, RMSE and largest.

    Energies in meV per atom, force components in eV/Å, stress components in GPa; with --json eV and eV/Å³.

    Example: alflow evaluate pot.mtp test.extxyz --by config_type --plot parity.png
    """
    from alflow.potentials import read_potential
    from alflow.potentials.errors import errors_of
    from alflow.potentials.prediction_files import check_predictions_path, write_predictions
    from alflow.potentials.predictions import predict
    from alflow.structures.files import read_structures

    for path in (predictions, plot):
        if path:
            check_writable(path)
    if predictions:
        check_predictions_path(predictions)
    if plot and plot.suffix != ".png":
        raise InputError(f"--plot is '{plot}', but its name must end in .png")
    model = read_potential(potential, parse_species(species))
    structures = read_structures(
        data, labelled=True, species=model.species, keys=parse_keys(keys), file_format=file_format
    )
    key = _group_key(data, structures, by)
    found = predict(model, structures, threads=threads)
    names = [_group(atoms, key) for atoms in structures]
    groups = {
        name: [one for one, group in zip(found, names, strict=True) if group == name]
        for name in dict.fromkeys(names)
    }
    overall = errors_of(found)
    errors = {name: errors_of(members) for name, members in groups.items()}
    if predictions:
        write_predictions(predictions, found, names)
    unseen = _plot(plot, groups if key else {data.name: found}) if plot else ""
    if json:
        by_group = {} if key is None else {"by": key, "groups": errors}
        print_json({"potential": potential, "data": data, "errors": overall, **by_group})
        return
    print_errors(
        f"{potential} on {data}" + (f", by {key}" if key else ""),
        {data.name: overall} if key is None else {**errors, ALL: overall},
    )
    for path in (predictions, plot):
        if path:
            print_note(f"{path} written")
    if unseen:
        print_note(unseen)


def _group_key(data: Path, structures: Sequence[Atoms], by: str | None) -> str | None:
    """The key that names the groups, or None if there are no groups.

    Raises
    ------
    InputError
        If no structure has the key that was asked for.
    """
    present = {key for atoms in structures for key in atoms.info}
    if by is None:
        return next((key for key in GROUP_KEYS if key in present), None)
    if by not in present:
        keys = f"they have {', '.join(sorted(present))}" if present else "they have no keys"
        raise InputError(f"--by is '{by}', but no structure of {data} has this key; {keys}")
    return by


def _group(atoms: Atoms, key: str | None) -> str:
    return NO_GROUP if key is None else str(atoms.info.get(key, NO_GROUP))


def _plot(path: Path, groups: Mapping[str, Sequence[Prediction]]) -> str:
    """Write the parity plot; return a sentence on what it cannot show, or an empty text."""
    from alflow.files import write_completely
    from alflow.report.parity_figures import parity_of_groups
    from alflow.results.versions import parity_of

    figure = parity_of_groups({name: parity_of(members) for name, members in groups.items()})
    write_completely(path, figure.png)
    return figure.caption
