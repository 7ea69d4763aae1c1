"""The `alflow` command: one module per noun, in this package.

An entry in `COMMANDS` adds a module. The module has a function of its own name (one command) or `app`, a
`typer.Typer` (a group such as `alflow labels list`). Heavy imports belong inside the functions, so that
`alflow --help` answers at once.
"""

from __future__ import annotations

import importlib
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from alflow.errors import InputError

COMMANDS: dict[str, tuple[str, ...]] = {
    "Begin": ("init", "check", "doctor"),
    "Campaigns": ("run", "submit", "worker", "status", "watch", "labels", "dashboard"),
    "Results": ("report", "hull", "potential", "trajectory", "export"),
    "Potentials": ("fit", "evaluate", "grade", "select"),
    "Simulation": ("md", "relax"),
    "Files and database": ("convert", "db"),
}
"""Help panel → the commands in it, in the order in which `alflow --help` shows them."""


class CommandGroup(TyperGroup):
    """Print an `InputError` as one sentence on stderr and exit with code 2; other errors pass through."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            _refuse(error)
        except Exception as error:
            from qm_interfaces import SettingsError

            if not isinstance(error, SettingsError):
                raise
            _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    typer.echo(f"alflow: {' '.join(str(error).split())}", err=True)
    raise typer.Exit(2) from error


def _show_version(wanted: bool) -> None:
    if wanted:
        from alflow import __version__

        typer.echo(__version__)
        raise typer.Exit


app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _about(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Interatomic potentials that learn from quantum mechanics while the simulation runs.

    Units everywhere: Å, eV, eV/Å, eV/Å³ (stress), K, fs, GPa (pressure). Every command takes --json.
    Example: alflow run examples/cu_emt.yaml
    """
    from alflow.cli.output import show_notes_of_readers

    show_notes_of_readers()


def _register(name: str, panel: str) -> None:
    module = importlib.import_module(f"{__name__}.{name}")
    if hasattr(module, "app"):
        app.add_typer(module.app, name=name, rich_help_panel=panel)
    else:
        app.command(name, rich_help_panel=panel)(getattr(module, name))


for _panel, _names in COMMANDS.items():
    for _name in _names:
        _register(_name, _panel)


def main() -> None:
    """Entry point of the `alflow` command."""
    app()
