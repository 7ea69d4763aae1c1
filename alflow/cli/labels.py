"""`alflow labels`: what quantum mechanics has said, and why it sometimes has not."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from alflow.cli.database_options import CampaignArgument, LaunchpadOption, UriOption, connected
from alflow.cli.output import JsonOption, print_json, print_note, print_table

app = typer.Typer(no_args_is_help=True, help="List, show, retry or drop the labels of a campaign.")

LabelArgument = Annotated[str, typer.Argument(help="Label as in the list: round.number, e.g. 3.2")]
COLUMNS = ("label", "state", "attempts", "wall_time_s", "energy_eV", "reason")


@app.command("list")
def list_labels(
    campaign: CampaignArgument,
    state: Annotated[
        str | None,
        typer.Option(help="Only these: waiting, running, done, failed or rejected.", show_default=False),
    ] = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """All labels with their state, and the reason of failed and rejected ones."""
    from alflow.errors import InputError
    from alflow.store.labels import STATES

    if state is not None and state not in STATES:
        raise InputError(f"--state is {state!r}, but must be one of {', '.join(STATES)}")
    with connected(campaign, uri, launchpad) as connection:
        where = {} if state is None else {"state": state}
        found = [_row(label) for label in connection.store.labels.find(connection.campaign, **where)]
    if json:
        print_json(found)
    else:
        print_table(f"{len(found)} labels", COLUMNS, [[row[column] for column in COLUMNS] for row in found])


@app.command()
def show(
    campaign: CampaignArgument,
    label: LabelArgument,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """All that is known about one label: result, level of theory, origin, failures."""
    with connected(campaign, uri, launchpad) as connection:
        found = _find(connection.store, connection.campaign, label)
        configuration = connection.store.configurations.get(found["configuration"])
        facts = _row(found) | {
            "formula": configuration["formula"],
            "source": configuration["source"],
            "failures": found["failures"],
            "level_of_theory": found["level"],
            "code": found.get("code"),
            "code_version": found.get("code_version"),
        }
    if json:
        print_json(facts)
    else:
        print_table(f"label {label}", ("", "value"), facts.items())


@app.command()
def retry(
    campaign: CampaignArgument,
    label: Annotated[
        list[str] | None, typer.Argument(help="Labels (round.number); default: all failed ones.")
    ] = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Set failed or rejected labels waiting again; a campaign that ended for want of them goes on."""
    from workflows.active_learning import try_again

    with connected(campaign, uri, launchpad) as connection:
        store, name = connection.store, connection.campaign
        chosen = (
            [_find(store, name, one) for one in label] if label else store.labels.find(name, state="failed")
        )
        again = [_number(one) for one in chosen if store.labels.retry(one["_id"])]
        if again:
            try_again(store, name)
    _report(again, "waiting again", json)


@app.command()
def drop(
    campaign: CampaignArgument,
    label: Annotated[list[str], typer.Argument(help="Labels (round.number).")],
    reason: Annotated[str, typer.Option(help="Why; kept with the label.")] = "dropped by hand",
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Reject finished labels: the next refit leaves them out."""
    with connected(campaign, uri, launchpad) as connection:
        store = connection.store
        chosen = [_find(store, connection.campaign, one) for one in label]
        dropped = [_number(one) for one in chosen if store.labels.drop(one["_id"], reason)]
    _report(dropped, "dropped", json)


def _report(labels: list[str], what: str, json: bool) -> None:
    if json:
        print_json(labels)
    else:
        print_note(f"{len(labels)} labels {what}" + (f": {', '.join(labels)}" if labels else ""))


def _number(label: dict[str, Any]) -> str:
    return f"{label['round']}.{label['number']}"


def _row(label: dict[str, Any]) -> dict[str, Any]:
    keys = ("state", "attempts", "wall_time_s", "energy_eV", "reason")
    return {"label": _number(label)} | {key: label.get(key) for key in keys}


def _find(store: Any, campaign: str, number: str) -> dict[str, Any]:
    from alflow.errors import InputError

    for label in store.labels.find(campaign):
        if _number(label) == number:
            return label
    raise InputError(
        f"campaign {campaign!r} has no label {number!r}; `alflow labels list` shows them as round.number"
    )
