"""`alflow check`: whether everything is there before a campaign begins, and what it will cost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alflow.cli.database_options import LaunchpadOption, UriOption, campaign_folder, connected
from alflow.cli.output import JsonOption, print_json, print_note, print_table

if TYPE_CHECKING:
    from alflow.campaign.kinds import CampaignSettings
    from workflows.campaign_kind import Preview
    from workflows.preflight import Finding
    from workflows.trial import Trial

LABELS_ESTIMATED = (20, 100)
LEAST_FREE_GB = 1.0


def check(
    campaign: Annotated[Path, typer.Argument(help="Campaign file (YAML).")],
    no_label: Annotated[bool, typer.Option("--no-label", help="Run no trial labels.")] = False,
    workers: Annotated[
        int, typer.Option("--workers", "-n", min=1, help="Workers that the estimate assumes.")
    ] = (os.cpu_count() or 1),
    uri: UriOption = None,
    launchpad: LaunchpadOption = None,
    json: JsonOption = False,
) -> None:
    """Check a campaign before it begins: QM code, cells, disk, database, one trial label, and the cost.

    If `initial.file` brings labels, some are computed again, so that another energy reference is found.
    Exits with code 1 if the campaign could not run as it is.

    Example: alflow check examples/cu_emt.yaml
    """
    from alflow.campaign.file import load_campaign
    from workflows.campaign_kind import preview_of
    from workflows.preflight import Finding, Verdict, inspect
    from workflows.submission import check as check_files

    config = load_campaign(campaign)
    check_files(config)
    preview = preview_of(config)
    findings = [Finding("campaign file", Verdict.OK, f"{config.name}, {config.kind}")]
    findings += [*inspect(config, preview), _disk(campaign), _database(campaign, uri, launchpad)]
    wrong = (Verdict.MISSING, Verdict.WRONG)
    facts: dict[str, Any] = {}
    if not no_label and not any(finding.verdict in wrong for finding in findings):
        labels = _Labels(config, preview, workers)
        findings += labels.run(campaign, uri, launchpad)
        facts = labels.facts
    ready = not any(finding.verdict in wrong for finding in findings)
    if json:
        print_json({"ready": ready, "findings": findings, **facts})
    else:
        rows = [(finding.part, str(finding.verdict), finding.found) for finding in findings]
        print_table(f"{campaign}: {'ready' if ready else 'not ready'}", ("part", "", "found"), rows)
    if not ready:
        raise typer.Exit(1)


class _Labels:
    """The trial label and, if the file brings labels, their comparison."""

    def __init__(self, config: CampaignSettings, preview: Preview, workers: int) -> None:
        self.config, self.preview, self.workers = config, preview, workers
        self.facts: dict[str, Any] = {}

    def run(self, campaign: Path, uri: str | None, launchpad: Path | None) -> Iterator[Finding]:
        from qm_interfaces import QMError
        from workflows.preflight import Finding, Verdict
        from workflows.trial import keep_trial, label_again, run_trial

        if not self.preview.structures:
            return
        atoms, qm = self.preview.structures[0], self.config.qm
        with _scratch(campaign) as folder:
            print_note(f"trial label: {atoms.get_chemical_formula()}, {qm.interface} (--no-label skips it)")
            try:
                trial = run_trial(qm, atoms, folder / "trial")
            except QMError as error:
                yield Finding("trial label", Verdict.WRONG, error.reason)
                return
            if trial.rejections:
                yield Finding("trial label", Verdict.WRONG, "; ".join(trial.rejections))
                return
            yield from self._cost(trial)
            with connected(str(campaign), uri, launchpad, create=True) as connection:
                keep_trial(connection.store, self.config.name, qm, trial)
            if not self.preview.labelled:
                return
            file = Path(self.preview.labelled_file).name
            print_note(f"labelling structures of {file} again")
            try:
                comparison = label_again(qm, self.preview.labelled, folder)
            except QMError as error:
                yield Finding("initial.file", Verdict.WRONG, f"cannot be labelled again: {error.reason}")
                return
            said = comparison.sentence(file)
            self.facts["initial_file"] = comparison
            agree = f"energies of {file} agree with those of `qm`"
            yield Finding("initial.file", Verdict.WRONG if said else Verdict.OK, said or agree)

    def _cost(self, trial: Trial) -> Iterator[Finding]:
        from workflows.preflight import Finding, Verdict

        atoms, seconds = len(trial.atoms), trial.cost.wall_s
        self.facts["trial"] = {
            "atoms": atoms,
            "wall_time_s": seconds,
            "processor_s": trial.cost.processor_s,
            "memory_GB": trial.memory_GB,
            "energy_eV": trial.result.energy_eV,
        }
        yield Finding(
            "trial label",
            Verdict.OK,
            f"{atoms} atoms: {seconds:.3g} s, {trial.memory_GB:.2g} GB in its largest process",
        )
        mean = sum((len(a) / atoms) ** 2 for a in self.preview.structures) / len(self.preview.structures)
        estimates = [(count, mean * trial.hours(count, self.workers)) for count in LABELS_ESTIMATED]
        self.facts["estimates"] = [{"labels": count, "hours": hours} for count, hours in estimates]
        said = "; ".join(f"{count} labels take {_duration(hours)}" for count, hours in estimates)
        yield Finding("cost", Verdict.OK, f"with {self.workers} workers, {said}; the dynamics comes on top")


def _duration(hours: float) -> str:
    if hours * 3600 < 100:
        return f"{hours * 3600:.2g} s"
    return f"{hours * 60:.2g} min" if hours * 60 < 100 else f"{hours:.2g} h"


def _disk(campaign: Path) -> Finding:
    from workflows.preflight import Finding, Verdict

    folder = campaign.resolve().parent
    free_GB = shutil.disk_usage(folder).free / 1e9
    if not os.access(folder, os.W_OK):
        return Finding("disk", Verdict.WRONG, f"you may not write to {folder}; copy the campaign elsewhere")
    verdict = Verdict.NOTE if free_GB < LEAST_FREE_GB else Verdict.OK
    return Finding("disk", verdict, f"{free_GB:.3g} GB free")


def _database(campaign: Path, uri: str | None, launchpad: Path | None) -> Finding:
    from alflow.errors import InputError
    from alflow.store.embedded import server_command
    from workflows.launchpad import configured_launchpad
    from workflows.preflight import Finding, Verdict

    try:
        embedded = (campaign_folder(campaign) / "database").is_dir()
        pad = configured_launchpad(uri, launchpad, use_fireworks_configuration=not embedded)
        if pad is not None:
            return Finding("database", Verdict.OK, "the server answers")
        server_command()
    except InputError as error:
        return Finding("database", Verdict.MISSING, str(error))
    return Finding("database", Verdict.OK, "embedded")


@contextmanager
def _scratch(campaign: Path) -> Iterator[Path]:
    """A folder beside the campaign's own, where space for labels is."""
    parent = campaign_folder(campaign)
    parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="check-", dir=parent) as folder:
        yield Path(folder)
