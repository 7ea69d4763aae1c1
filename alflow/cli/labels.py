"""`alflow labels`: results of quantum mechanics, and the reasons of labels without one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alflow.cli.database_options import CampaignArgument, LaunchpadOption, UriOption, connected
from alflow.cli.output import JsonOption, print_json, print_note, print_table

if TYPE_CHECKING:
    from alflow.results import LabelRecord
    from alflow.store import Store
    from qm_interfaces.vasp import VaspInterface

app = typer.Typer(no_args_is_help=True, help="List, show, retry, drop, import or export labels.")

LabelArgument = Annotated[str, typer.Argument(help="Label as in the list: round.number, e.g. 3.2")]
FACTS = (
    "kind", "state", "formula", "grade", "explorer", "step", "attempts", "wall_time_s", "energy_eV", "reason",
)  # fmt: skip
COLUMNS = ("label", "kind", "formula", "γ", "explorer, step", "state")


@app.command("list")
def list_labels(
    campaign: CampaignArgument,
    state: Annotated[
        str | None,
        typer.Option(
            help="Only labels in this state: waiting, running, done, failed or rejected.", show_default=False
        ),
    ] = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """List all labels: kind, formula, where an explorer met the structure, its grade γ, state and reason.

    With --json also attempts, wall time and energy.

    Example: alflow labels list examples/cu_emt.yaml --state rejected
    """
    from alflow.errors import InputError
    from alflow.results.labels import read_labels
    from alflow.results.level_differences import level_differences
    from alflow.states import LabelState

    if state is not None and state not in list(LabelState):
        raise InputError(f"--state is {state!r}, but must be one of {', '.join(LabelState)}")
    with connected(campaign, uri, launchpad) as connection:
        labels, levels = read_labels(connection.store, connection.campaign)
    found = [_row(label) for label in labels if state in (None, label.state)]
    if json:
        print_json(found)
    else:
        columns = [*COLUMNS, *["level"] * (len(levels) > 1)]
        cells = [_cells(row) for row in found]
        print_table(f"{len(found)} labels", columns, [[row[column] for column in columns] for row in cells])
        if reasons := [(row["label"], row["reason"]) for row in found if row["reason"]]:
            print_table("Reasons", ("label", "reason"), reasons)
        for difference in level_differences(levels):
            print_note(difference)


@app.command()
def show(
    campaign: CampaignArgument,
    label: LabelArgument,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Show one label: result, level of theory, origin, failures, location of its files."""
    from alflow.results.labels import read_labels

    with connected(campaign, uri, launchpad) as connection:
        found = _find(connection.store, connection.campaign, label)
        labels, _ = read_labels(connection.store, connection.campaign)
        record = next(one for one in labels if one.name == label)
        configuration = connection.store.configurations.get(found["configuration"])
        facts = _row(record) | {
            "source": configuration["source"],
            "failures": found["failures"],
            "level_of_theory": found["level"],
        }
        more = ("timeout_s", "code", "code_version", "details", "host", "folder")
        facts |= {key: found.get(key) for key in more}
    if json:
        print_json(facts)
    else:
        print_table(f"label {label}", ("", "value"), facts.items())


@app.command()
def retry(
    campaign: CampaignArgument,
    label: Annotated[
        list[str] | None, typer.Argument(help="Labels (round.number).", show_default=False)
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Retry all failed labels of the campaign.")
    ] = False,
    timeout_s: Annotated[
        float | None,
        typer.Option(min=0.1, help="Time limit of the first attempt, s; default: the campaign's."),
    ] = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Set failed or rejected labels to waiting again; a campaign that failed without them continues."""
    from alflow.errors import InputError
    from alflow.states import LabelState
    from workflows.submission import try_again

    if not label and not failed:
        raise InputError("no label is named: give some (round.number), or --failed for all failed ones")
    with connected(campaign, uri, launchpad) as connection:
        store, name = connection.store, connection.campaign
        chosen = [_find(store, name, one) for one in label or []]
        chosen += store.labels.find(name, state=LabelState.FAILED) if failed else []
        again = [_number(one) for one in chosen if store.labels.retry(one["_id"], timeout_s)]
        if again:
            try_again(store, name)
    _report(again, "waiting again", json)


@app.command()
def drop(
    campaign: CampaignArgument,
    label: Annotated[list[str], typer.Argument(help="Labels (round.number).")],
    reason: Annotated[
        str, typer.Option(help="The reason, which is stored with the label.")
    ] = "dropped by hand",
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


@app.command()
def export(
    campaign: CampaignArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="File: .extxyz, or MLIP's .cfg.")],
    rejected: Annotated[bool, typer.Option("--rejected", help="Also write rejected labels.")] = False,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Only labels of this kind: initial, imported, extrapolative, validation or final.",
            show_default=False,
        ),
    ] = None,
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Write finished labels to a file; extended XYZ also holds code and level of theory."""
    from alflow.errors import InputError
    from alflow.states import LabelKind, LabelState
    from alflow.structures.files import write_structures

    if kind is not None and kind not in list(LabelKind):
        raise InputError(f"--kind is {kind!r}, but must be one of {', '.join(LabelKind)}")
    with connected(campaign, uri, launchpad) as connection:
        store, name = connection.store, connection.campaign
        states = [LabelState.DONE, LabelState.REJECTED] if rejected else [LabelState.DONE]
        found = store.labels.find(name, state={"$in": states}, energy_eV={"$exists": True})
        found = [one for one in found if kind in (None, one["kind"])]
        structures = store.labels.structures([one["_id"] for one in found])
        for one, atoms in zip(found, structures, strict=True):
            atoms.info |= {"number": _number(one), "state": one["state"], "kind": one["kind"]}
        write_structures(output, structures, species=store.campaigns.config(name).species)
    if json:
        print_json({"file": str(output), "labels": [_number(one) for one in found]})
    else:
        print_note(f"{len(found)} labels written to {output}")


@app.command("import")
def import_folders(
    campaign: CampaignArgument,
    folders: Annotated[list[Path], typer.Argument(help="Folders of finished VASP runs.")],
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Import finished VASP runs that have the campaign's level of theory; the next refit uses them."""
    from alflow.errors import InputError
    from qm_interfaces import QMError
    from qm_interfaces.vasp import VaspInterface

    with connected(campaign, uri, launchpad) as connection:
        store, name = connection.store, connection.campaign
        qm = store.campaigns.config(name).qm
        if qm.interface != "vasp":
            raise InputError(
                f"qm.interface of campaign {name!r} is {qm.interface!r}: only vasp can import folders"
            )
        interface = VaspInterface(**qm.options)
        rows = []
        for folder in folders:
            try:
                label, reason = _import_folder(store, name, interface, folder), None
            except QMError as error:
                label, reason = None, error.reason
            rows.append({"folder": str(folder), "label": label, "reason": reason})
    if json:
        print_json(rows)
    else:
        columns = ("folder", "label", "reason")
        print_table(f"{len(rows)} folders", columns, [[row[column] for column in columns] for row in rows])


def _import_folder(store: Store, campaign: str, interface: VaspInterface, folder: Path) -> str:
    """Store one folder as a label of round 0; return the label's number.

    Raises
    ------
    QMError
        If the folder does not hold a run that is acceptable as a label.
    """
    from ase.calculators.singlepoint import SinglePointCalculator

    from alflow.states import LabelKind
    from qm_interfaces import CodeFailed, validate

    atoms, result = interface.import_folder(folder)
    taken = [one["number"] for one in store.labels.find(campaign) if one["round"] == 0]
    limits = store.campaigns.config(campaign).qm.limits
    if reasons := validate(atoms, result, limits):
        raise CodeFailed("; ".join(reasons))
    values = {"energy": result.energy_eV, "forces": result.forces_eV_A, "stress": result.stress_eV_A3}
    atoms.calc = SinglePointCalculator(atoms, **values)
    source = {"campaign": campaign, "round": 0, "kind": LabelKind.IMPORTED, "file": str(folder)}
    label = store.labels.import_result(
        store.configurations.add(atoms, source),
        interface.level_of_theory(),
        atoms,
        campaign=campaign,
        number=1 + max(taken, default=0),
        code=result.code,
        code_version=result.code_version,
        details=result.details,
    )
    return next(_number(one) for one in store.labels.find(campaign) if one["_id"] == label)


def _report(labels: list[str], what: str, json: bool) -> None:
    if json:
        print_json(labels)
    else:
        print_note(f"{len(labels)} labels {what}" + (f": {', '.join(labels)}" if labels else ""))


def _number(label: dict[str, Any]) -> str:
    return f"{label['round']}.{label['number']}"


def _row(label: LabelRecord) -> dict[str, Any]:
    facts = {key: getattr(label, key) for key in FACTS}
    return {"label": label.name, **facts, "level": label.level + 1}


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    met = ", ".join(str(row[key]) for key in ("explorer", "step") if row[key] is not None)
    grade = None if row["grade"] is None else float(f"{row['grade']:.3g}")
    return row | {"γ": grade, "explorer, step": met or None}


def _find(store: Store, campaign: str, number: str) -> dict[str, Any]:
    from alflow.errors import InputError

    for label in store.labels.find(campaign):
        if _number(label) == number:
            return label
    raise InputError(
        f"campaign {campaign!r} has no label {number!r}; `alflow labels list` shows them as round.number"
    )
