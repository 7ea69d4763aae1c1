"""`alflow export`: everything that a campaign has made, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alflow.cli.database_options import CampaignArgument, LaunchpadOption, UriOption, connected
from alflow.cli.output import JsonOption, json_text, print_json, print_note

if TYPE_CHECKING:
    from alflow.store import Store


def export(
    campaign: CampaignArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder; created if it does not exist.")],
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Write all results of a campaign to a folder, from any machine that sees the database.

    The folder gets the potential with grades (NAME.almtp) and without (NAME.mtp); training.extxyz and
    validation.extxyz, each frame with its origin; campaign.yaml, the settings as they were understood;
    report.html, and its numbers in report.json; status.json; and the files of the kind, such as hull/.

    Example: alflow export examples/cu_emt.yaml -o cu
    """
    from alflow.errors import InputError

    if output.exists() and not output.is_dir():
        raise InputError(f"--output is {output}, which is a file; give the name of a folder")
    output.mkdir(parents=True, exist_ok=True)
    with connected(campaign, uri, launchpad) as connection:
        written = write_everything(connection.store, connection.campaign, output)
    if json:
        print_json({"written": written})
    else:
        print_note("\n".join(map(str, written)))


def write_everything(store: Store, name: str, folder: Path) -> list[Path]:
    """Write all results of a campaign to a folder; return the paths."""
    import yaml

    from alflow.cli.campaign_views import overview, page
    from alflow.files import write_completely
    from alflow.report import build_report
    from alflow.results.labelled_frames import labelled_frames
    from alflow.results.potential_files import write_potential_files
    from alflow.states import LabelKind, LabelState
    from alflow.structures.files import write_structures

    written = write_potential_files(store, name, folder)
    held_out = [
        label
        for label in store.labels.find(name, state=LabelState.DONE)
        if label["kind"] == LabelKind.VALIDATION
    ]
    if held_out:
        write_structures(folder / "validation.extxyz", labelled_frames(store, name, held_out))
        written.append(folder / "validation.extxyz")
    found = page(store, name)
    texts = {
        "campaign.yaml": yaml.safe_dump(
            store.campaigns.get(name)["config"], sort_keys=False, allow_unicode=True
        ),
        "status.json": json_text(overview(store, name).as_dict()),
        "report.json": json_text(found.summary()),
    }
    for file, text in texts.items():
        write_completely(folder / file, text.encode())
        written.append(folder / file)
    return [*written, *found.write_files(folder), build_report(found, folder / "report.html")]
