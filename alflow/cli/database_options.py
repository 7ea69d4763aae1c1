"""Choose the database of a command: an address, a LaunchPad file, or a campaign's embedded database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alflow.errors import InputError

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from alflow.store import Store

CampaignArgument = Annotated[
    str, typer.Argument(help="Campaign file, or the name of a campaign in the database.")
]
OptionalCampaignArgument = Annotated[
    str | None,
    typer.Argument(help="Campaign file, or a name; default: the only one.", show_default=False),
]
UriOption = Annotated[
    str | None, typer.Option("--uri", help="MongoDB address; default: ALFLOW_MONGO_URI.", show_default=False)
]
LaunchpadOption = Annotated[
    Path | None, typer.Option("--launchpad", "-l", help="FireWorks' my_launchpad.yaml.", show_default=False)
]


@dataclass(frozen=True)
class Connection:
    """An open database and the campaign that the command names."""

    store: Store
    launchpad: LaunchPad
    campaign: str
    alone: bool


def campaign_folder(file: Path) -> Path:
    """Folder of the embedded database, logs and results of a campaign that runs from a file."""
    return file.resolve().parent / "runs" / file.stem


@contextmanager
def connected(
    campaign: str | None, uri: str | None, launchpad_file: Path | None, *, create: bool = False
) -> Iterator[Connection]:
    """Open the database that the options name, or else the embedded one in the campaign file's folder.

    Parameters
    ----------
    create
        Start an embedded database even if the folder has none yet.

    Raises
    ------
    InputError
        If no database is named, or the campaign is not in it.
    """
    from alflow.store import Store
    from alflow.store.embedded import EmbeddedDatabase
    from workflows.launchpad import configured_launchpad, open_launchpad, write_launchpad_file

    file = Path(campaign) if campaign is not None and Path(campaign).suffix in (".yaml", ".yml") else None
    folder = campaign_folder(file) if file is not None else None
    embedded = folder is not None and (create or (folder / "database").is_dir())
    launchpad = configured_launchpad(uri, launchpad_file, use_fireworks_configuration=not embedded)
    if launchpad is not None:
        store = Store(launchpad.db)
        yield Connection(store, launchpad, _name(campaign, file, store, create), alone=False)
        return
    if not embedded or folder is None:
        raise InputError(
            "no database is named: give a campaign file that ran here, --uri, --launchpad or ALFLOW_MONGO_URI"
        )
    database = EmbeddedDatabase(folder / "database")
    alone = not database.is_running()
    with database as address:
        launchpad = open_launchpad(address)
        write_launchpad_file(launchpad, folder / "my_launchpad.yaml")
        store = Store(launchpad.db)
        yield Connection(store, launchpad, _name(campaign, file, store, create), alone)


def _name(campaign: str | None, file: Path | None, store: Store, create: bool) -> str:
    """The campaign's name: as given, from its file, or that of the only campaign in the database."""
    if file is not None:
        from alflow.campaign.file import load_campaign

        name = load_campaign(file).name
    elif campaign is not None:
        name = campaign
    else:
        names = store.campaigns.names()
        if len(names) != 1:
            raise InputError(f"this database has {len(names)} campaigns ({', '.join(names)}): name one")
        name = names[0]
    if not create:
        store.campaigns.get(name)
    return name
