from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ase.build import bulk
from ase.io import write

from alflow.campaign.file import load_campaign, parse_campaign
from alflow.errors import InputError
from workflows.hull_screening.schema import Screening
from workflows.submission import check

MINIMAL: dict[str, Any] = {
    "name": "cu-pd",
    "species": ["Cu", "Pd"],
    "candidates": [{"lattice": "fcc", "max_atoms": 3}],
    "stages": [{"potential": {"level": 8, "cutoff_A": 5.0}}],
    "qm": {"interface": "mock"},
}


def with_(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(MINIMAL) | changes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (with_(stages=[]), "`stages` is \\[\\], but list should have at least 1 item"),
        (with_(candidates=[{"lattice": "fcc", "files": "x"}]), "needs exactly one of `lattice`, `files`"),
        (with_(candidates=[{"max_atoms": 3}]), "needs exactly one of `lattice`, `files`"),
        (with_(candidates=[{"lattice": "FCC"}]), "lattice is 'FCC', write fcc"),
        (
            with_(candidates=[{"lattice": "fcc", "min_atoms": 8}]),
            "min_atoms = 8 must not exceed max_atoms = 6",
        ),
        (with_(candidates=[{"latice": "fcc"}]), "`latice` .* is not a known key; did you mean `lattice`"),
        (with_(species=["Cu", "Cu"]), "species 'Cu' is given twice"),
        (with_(volumes_A3={"Cu": 11.8}), "volumes_A3 is given for Cu, it must be for Cu, Pd"),
        (with_(volumes_A3={"Cu": 11.8, "Pd": 0.1}), "`volumes_A3.Pd` is 0.1, but it must be greater"),
        (with_(stages=[{"potential": {"level": 7, "cutoff_A": 5.0}}]), "level` is 7"),
        (with_(stages=[MINIMAL["stages"][0] | {"keep_sigmas": 0}]), "keep_sigmas` is 0"),
        (with_(explorers=[]), "`explorers` is not a known key"),
        (with_(screen={"chunk": 0}), "`screen.chunk` is 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(data: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        parse_campaign(data)
    assert "\n" not in str(error.value)


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "own.cif", bulk("Cu"))
    file = tmp_path / "campaign.yaml"
    file.write_text(yaml.safe_dump(with_(candidates=[{"lattice": "fcc"}, {"files": "own.cif"}])))
    campaign = load_campaign(file)
    assert isinstance(campaign, Screening)
    assert [source.path for source in campaign.candidates] == [None, str(tmp_path / "own.cif")]


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text(yaml.safe_dump(with_(candidates=[{"files": "nowhere"}])))
    with pytest.raises(InputError, match=r"candidates\[0\].files names .*nowhere, which does not exist"):
        load_campaign(file)


def test_a_source_without_room_for_its_lattice_is_refused() -> None:
    campaign = parse_campaign(with_(candidates=[{"lattice": "hcp", "max_atoms": 1}]))
    with pytest.raises(InputError, match="max_atoms is 1"):
        check(campaign)


def test_a_stored_configuration_is_read_back_unchanged() -> None:
    campaign = parse_campaign(MINIMAL)
    assert parse_campaign(campaign.model_dump(mode="json")) == campaign
