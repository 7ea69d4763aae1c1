"""What a campaign has learned is in its folder after every round, and leaves it from any machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from alflow.cli import app
from alflow.results.potential_files import TRAINING, write_potential_files
from alflow.results.stored_potentials import read_active_set, read_potential
from alflow.selection.graded import read_graded
from alflow.structures.files import read_structures
from workflows.active_learning.schema import ActiveLearning
from workflows.launchpad import write_launchpad_file
from workflows.submission import submit


@pytest.fixture
def campaign(
    stage: Any, make_campaign: Callable[..., ActiveLearning], labels_in_process: list[str], tmp_path: Path
) -> Any:
    """A finished campaign with a folder for its results."""
    (tmp_path / "results").mkdir()
    submit(stage.store, stage.launchpad, make_campaign())
    stage.store.campaigns.set_folder("cu", tmp_path / "results")
    assert stage.work()["state"] == "finished"
    write_launchpad_file(stage.launchpad, tmp_path / "pad.yaml")
    return stage


def _alflow(*arguments: str) -> Any:
    done = CliRunner().invoke(app, [*arguments, "--launchpad", "pad.yaml"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_folder_holds_the_newest_potential_its_grades_and_its_training_set(
    campaign: Any, tmp_path: Path
) -> None:
    folder, store = tmp_path / "results", campaign.store
    newest = store.potentials.latest("cu")["version"]
    assert newest > 1
    assert (folder / "cu.mtp").read_bytes() == store.potentials.content("cu", newest)

    training = read_structures(folder / TRAINING, labelled=True)
    labels = store.labels.find("cu")
    assert [(a.info["label_round"], a.info["label_number"]) for a in training] == [
        (label["round"], label["number"]) for label in labels if label["state"] == "done"
    ]
    met = [atoms.info for atoms in training if atoms.info["label_kind"] == "extrapolative"]
    assert {info["explorer"] for info in met} <= {"cold", "hot"}
    assert all(info["extrapolation_grade"] > 2.1 and info["step"] > 0 for info in met)

    potential, active_set = read_graded(folder / "cu.almtp")
    assert active_set is not None
    graded = [g for g, _ in active_set.grade_structures(potential, training)]
    expected = read_active_set(store, "cu", newest).grade_structures(
        read_potential(store, "cu", newest), training
    )
    np.testing.assert_allclose(graded, [g for g, _ in expected], rtol=1e-9)


def test_files_that_are_up_to_date_stay_and_new_frames_are_appended(campaign: Any, tmp_path: Path) -> None:
    folder, store = tmp_path / "results", campaign.store
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    write_potential_files(store, "cu", folder)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before

    complete = before[TRAINING][0]
    lines = complete.splitlines(keepends=True)
    atoms = int(lines[0])
    (folder / TRAINING).write_bytes(b"".join(lines[: 2 * (atoms + 2)]))  # as after an earlier round
    write_potential_files(store, "cu", folder)
    assert (folder / TRAINING).read_bytes() == complete
    (folder / TRAINING).write_bytes(complete.replace(b"label_number=1 ", b"label_number=77 "))
    write_potential_files(store, "cu", folder)
    assert (folder / TRAINING).read_bytes() == complete


def test_every_version_leaves_with_its_own_active_set(campaign: Any, tmp_path: Path) -> None:
    facts = _alflow("potential", "cu", "--version", "1", "-o", "first.almtp", "--json")
    assert (facts["version"], facts["labels"]) == (1, 3)
    potential, active_set = read_graded("first.almtp")
    stored = read_potential(campaign.store, "cu", 1)
    np.testing.assert_array_equal(potential.parameters, stored.parameters)
    assert active_set is not None
    active_set.check_belongs_to(stored)
    refused = CliRunner().invoke(app, ["potential", "cu", "--version", "99", "-o", "x.mtp", "-l", "pad.yaml"])
    assert refused.exit_code == 2
    assert "--version is 99; campaign 'cu' has versions 1 to" in refused.output
    refused = CliRunner().invoke(app, ["potential", "cu", "-o", "x.txt", "-l", "pad.yaml"])
    assert refused.exit_code == 2
    assert "a potential of kind 'mtp' is written to a .mtp, .almtp or" in " ".join(refused.output.split())


def test_export_writes_all_that_the_campaign_made(campaign: Any, tmp_path: Path) -> None:
    written = _alflow("export", "cu", "-o", "out", "--json")["written"]
    names = {Path(path).name for path in written}
    assert names >= {
        "cu.mtp",
        "cu.almtp",
        TRAINING,
        "campaign.yaml",
        "status.json",
        "report.json",
        "report.html",
    }
    assert all(Path(path).exists() for path in written)
    assert json.loads(Path("out/status.json").read_text())["state"] == "finished"
    assert "species:" in Path("out/campaign.yaml").read_text()
