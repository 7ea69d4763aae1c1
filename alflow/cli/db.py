"""`alflow db`: the embedded database of a campaign."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alflow.cli.database_options import campaign_folder
from alflow.cli.output import JsonOption, print_json, print_note, print_table

if TYPE_CHECKING:
    from alflow.store.embedded import EmbeddedDatabase

app = typer.Typer(
    no_args_is_help=True,
    help="The embedded database of a campaign, which `alflow run` starts and ends by itself.",
)

WhereArgument = Annotated[
    Path, typer.Argument(metavar="CAMPAIGN", help="Campaign file, or the folder of the database itself.")
]


@app.command()
def start(where: WhereArgument, json: JsonOption = False) -> None:
    """Start the database and print its address (with its password); it runs until `alflow db stop`."""
    _print_address(_database(where).start(keep=True), json)


@app.command()
def stop(where: WhereArgument, json: JsonOption = False) -> None:
    """Stop the database, even if it is in use; a campaign that ran on it continues when you run it again."""
    database = _database(where)
    was_running = database.is_running()
    database.shutdown()
    if json:
        print_json({"directory": database.directory, "was_running": was_running, "running": False})
    else:
        print_note(f"{database.directory}: {'stopped' if was_running else 'was not running'}")


@app.command()
def uri(where: WhereArgument, json: JsonOption = False) -> None:
    """Print the address (with its password) for --uri, ALFLOW_MONGO_URI or any MongoDB client."""
    database = _database(where)
    address = database.uri
    if not database.is_running():
        print_note(f"{database.directory}: is not running now; `alflow db start {where}` starts it")
    _print_address(address, json)


@app.command()
def show(where: WhereArgument, json: JsonOption = False) -> None:
    """Show whether the database runs, its address, its size on disk and its collections."""
    database = _database(where)
    facts: dict[str, Any] = {
        "directory": database.directory,
        "running": database.is_running(),
        "address": None,
        "disk_MB": _disk_MB(database.directory),
        "documents": {},
    }
    if database.is_running():
        facts["address"] = database.uri.rpartition("@")[2].partition("/")[0]
        facts["documents"] = _documents(database.uri)
    if json:
        print_json(facts)
        return
    rows = [(name, value) for name, value in facts.items() if name != "documents"]
    print_table("Embedded database", ("", ""), rows)
    if facts["documents"]:
        print_table("Documents", ("collection", "number"), facts["documents"].items())


def _database(where: Path) -> EmbeddedDatabase:
    from alflow.store.embedded import EmbeddedDatabase

    is_campaign = where.suffix in (".yaml", ".yml")
    return EmbeddedDatabase(campaign_folder(where) / "database" if is_campaign else where)


def _print_address(address: str, json: bool) -> None:
    if json:
        print_json({"uri": address})
    else:
        typer.echo(address)


def _documents(address: str) -> dict[str, int]:
    """`database.collection` → number of documents."""
    from pymongo import MongoClient

    with MongoClient[Any](address) as client:
        return {
            f"{database}.{collection}": client[database][collection].estimated_document_count()
            for database in client.list_database_names()
            if database not in ("admin", "config", "local")
            for collection in sorted(client[database].list_collection_names())
        }


def _disk_MB(directory: Path) -> float:
    return sum(512 * file.stat().st_blocks for file in directory.rglob("*") if file.is_file()) / 1e6
