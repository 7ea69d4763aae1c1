"""`alflow fit`: a potential from labelled structures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
from alflow.cli.progress_lines import ProgressLines, on_terminal
from alflow.errors import InputError

if TYPE_CHECKING:
    from alflow.potentials.mtp import CoreSettings, MTPSettings
    from alflow.potentials.mtp.fitting import FitProgress
    from alflow.potentials.mtp.mtp_file import Template


def fit(
    train: Annotated[Path, typer.Argument(help="Labelled structures: extended XYZ, MLIP .cfg, OUTCAR, …")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The potential to write.")] = Path("pot.mtp"),
    level: Annotated[int, typer.Option(help="Level of the basis, even, 2 to 24: 8 is small, 16 usual.")] = 16,
    cutoff: Annotated[float, typer.Option(help="Cutoff radius, Å.")] = 5.0,
    active_set: Annotated[
        Path | None,
        typer.Option(help="Active set to write (.npz), for grades; an OUTPUT .almtp holds it already."),
    ] = None,
    mode: Annotated[
        Literal["neighborhood", "configuration"],
        typer.Option(help="Mode of the active set: grade each atom, or each structure as a whole."),
    ] = "neighborhood",
    test: Annotated[Path | None, typer.Option(help="Labelled structures for testing only.")] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Potential to start from, or an untrained .mtp file; fixes basis and cutoff."),
    ] = None,
    species: Annotated[
        str | None, typer.Option(help="Order of the types, e.g. Cu,Pd. Default: alphabetical.")
    ] = None,
    keys: KeysOption = None,
    file_format: FormatOption = None,
    energy_weight: Annotated[float | None, typer.Option(min=0, help="Weight of energies, 1/eV².")] = None,
    force_weight: Annotated[float | None, typer.Option(min=0, help="Weight of forces, Å²/eV².")] = None,
    stress_weight: Annotated[float | None, typer.Option(min=0, help="Weight of virials, 1/eV².")] = None,
    zbl: Annotated[
        str | None,
        typer.Option(metavar="INNER,OUTER", help="ZBL core between these distances, Å; auto: from the data."),
    ] = None,
    isolated_atoms: Annotated[
        str | None, typer.Option(help="Energies of isolated atoms, eV: Si=-0.8,O=-1.6; kept exactly.")
    ] = None,
    holdout: Annotated[
        float, typer.Option(min=0, max=0.9, help="Fraction of TRAIN held out for testing.")
    ] = 0.0,
    starts: Annotated[
        int | None, typer.Option(min=1, help="Number of random starts; the best fit is kept.")
    ] = None,
    max_iterations: Annotated[
        int | None, typer.Option(min=1, help="Largest number of iterations per start.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of starts and holdout.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
    json: JsonOption = False,
) -> None:
    """Fit a moment tensor potential and write it as an MLIP .mtp file, or .almtp with its active set.

    Example: alflow fit train.extxyz --level 16 --cutoff 5.2 --test test.extxyz -o pot.mtp
    """
    from alflow.potentials import FitSettings, evaluate_errors, write_potential
    from alflow.potentials.files import check_suffix
    from alflow.potentials.mtp import MTPSettings, read_mtp
    from alflow.potentials.mtp import fit as fit_potential
    from alflow.potentials.mtp.fitting import split_holdout
    from alflow.potentials.mtp.mtp_file import read_template
    from alflow.selection import ActiveSet
    from alflow.selection.graded import SUFFIX, write_graded
    from alflow.structures.files import read_structures

    check_writable(output)
    if active_set:
        check_writable(active_set)
    if output.suffix != SUFFIX:
        check_suffix(output, "mtp")
    symbols = parse_species(species)
    if start and zbl:
        raise InputError("--zbl cannot be combined with --start, whose potential fixes the core")
    template = read_template(start) if start else None
    initial = read_mtp(start, symbols) if start and template is None else None
    symbols = list(initial.species) if initial else symbols
    options: dict[str, Any] = {"labelled": True, "keys": parse_keys(keys), "file_format": file_format}
    structures = read_structures(train, species=symbols, **options)
    symbols = symbols or sorted({symbol for atoms in structures for symbol in atoms.symbols})
    tests = read_structures(test, species=symbols, **options) if test else []
    given: dict[str, Any] = {
        "energy_weight": energy_weight,
        "force_weight": force_weight,
        "stress_weight": stress_weight,
        "starts": starts,
        "max_iterations": max_iterations,
        "seed": seed,
        "isolated_atoms_eV": _energies(isolated_atoms) if isolated_atoms else None,
    }
    settings = FitSettings(**{name: value for name, value in given.items() if value is not None})
    core = _core(zbl) if zbl else None
    form = MTPSettings(level=level, cutoff_A=cutoff, core=core) if template is None else _form(template, core)
    with _live_losses(settings.starts, settings.max_iterations) as progress:
        result = fit_potential(
            structures,
            species=symbols,
            form=form,
            settings=settings,
            start=initial,
            tables=template.tables if template else None,
            threads=threads,
            holdout=holdout,
            progress=progress,
        )
    if active_set or output.suffix == SUFFIX:
        fitted, _ = split_holdout(structures, holdout, settings.seed)
        active = ActiveSet.from_structures(result.potential, fitted, mode)
        if active_set:
            active.save(active_set)
    if output.suffix == SUFFIX:
        write_graded(output, result.potential, active, fitted)
    else:
        write_potential(output, result.potential)

    errors = {"train": result.train}
    if result.test:
        errors["holdout"] = result.test
    if tests:
        errors["test"] = evaluate_errors(result.potential, tests, threads=threads)
    if json:
        facts = {"loss": result.loss, "iterations": result.iterations, "seconds": result.seconds}
        print_json({"potential": output, "species": symbols, **facts, "errors": errors})
        return
    print_errors(f"{output}: level {level}, {', '.join(symbols)}" if not start else str(output), errors)
    if fitted_core := result.potential.core:
        inner_A, outer_A = fitted_core.inner_A, fitted_core.outer_A
        print_note(
            f"ZBL core: alone below {inner_A.min():.3g} to {inner_A.max():.3g} Å, none beyond "
            f"{outer_A.min():.3g} to {outer_A.max():.3g} Å; only alflow reads the file"
        )
    print_note(f"loss {result.loss:.6g} after {result.iterations} iterations and {result.seconds:.1f} s")


def _core(text: str) -> CoreSettings:
    """The core of `--zbl`."""
    from alflow.potentials.mtp import CoreSettings

    if text == "auto":
        return CoreSettings()
    try:
        inner_A, outer_A = map(float, text.split(","))
    except ValueError:
        raise InputError(f"--zbl is {text!r}; give two distances in Å such as 0.9,1.8, or auto") from None
    return CoreSettings(inner_A=inner_A, outer_A=outer_A)


def _energies(text: str) -> dict[str, float]:
    """The energies of `--isolated-atoms`."""
    energies: dict[str, float] = {}
    for word in text.split(","):
        symbol, _, energy = word.partition("=")
        try:
            energies[symbol.strip()] = float(energy)
        except ValueError:
            raise InputError(f"--isolated-atoms is {text!r}; give energies in eV as Si=-0.8,O=-1.6") from None
    return energies


def _form(template: Template, core: CoreSettings | None) -> MTPSettings:
    """The form of an untrained file; its level is that of its tables, so the one here plays no role."""
    from alflow.potentials.mtp import MTPSettings

    return MTPSettings(
        level=2,
        cutoff_A=template.cutoff_A,
        min_distance_A=template.min_distance_A,
        radial_basis_size=template.radial_basis_size,
        core=core,
    )


@contextmanager
def _live_losses(starts: int, max_iterations: int) -> Iterator[Callable[[FitProgress], None]]:
    """Show the loss of each start while it falls, on stderr: bars on a terminal, lines in a log."""
    if not on_terminal():
        lines = ProgressLines()
        yield lambda now: lines(
            f"start {now.start} of {starts}: iteration {now.iteration}, loss {now.loss:.6g}", event=now.start
        )
        lines.finish()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
    bars = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))
    tasks: dict[int, TaskID] = {}

    def show(progress: FitProgress) -> None:
        bars.start()
        if progress.start not in tasks:
            name = f"start {progress.start} of {starts}"
            tasks[progress.start] = bars.add_task(name, total=max_iterations, state="")
        state = f"iteration {progress.iteration}  loss {progress.loss:.6g}"
        bars.update(tasks[progress.start], completed=progress.iteration, state=state)

    try:
        yield show
    finally:
        if tasks:
            bars.stop()
