from __future__ import annotations

import copy
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from alflow.campaign.file import load_campaign, parse_campaign
from alflow.errors import InputError
from alflow.explorers import EXPLORERS, Run
from alflow.structures.starting import starting_structures
from workflows.active_learning.schema import ActiveLearning
from workflows.submission import check

ROOT = Path(__file__).resolve().parents[2]
MINIMAL: dict[str, Any] = {
    "name": "cu",
    "species": ["Cu"],
    "structures": [{"name": "fcc", "build": {"element": "Cu", "crystal": "fcc", "a_A": 3.61}}],
    "potential": {"level": 8, "cutoff_A": 5.0},
    "explorers": [{"name": "md", "structure": "fcc", "temperature_K": 300, "steps": 10}],
    "qm": {"interface": "mock"},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The minimal campaign with another value at a path such as ``explorers.0.steps``; ``...`` removes it."""
    data = copy.deepcopy(MINIMAL)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place: Any = data
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_examples_are_valid_and_their_structures_exist(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples" / "scripts")
    check(load_campaign(example))


def runs_of(data: dict[str, Any]) -> list[Run]:
    campaign = parse_campaign(data)
    assert isinstance(campaign, ActiveLearning)
    structures = starting_structures(campaign.structures, campaign.species)
    return [
        run
        for explorer in campaign.explorers
        for run in EXPLORERS.get(explorer.kind).runs(explorer, structures, campaign.species)
    ]


def test_lists_of_an_explorer_multiply_and_name_the_runs() -> None:
    data = changed("explorers.0.temperature_K", [300, 600])
    data["explorers"][0]["replicas"] = 2
    runs = runs_of(data)
    assert [run.name for run in runs] == ["md-300K-1", "md-300K-2", "md-600K-1", "md-600K-2"]
    assert [run.settings.seed for run in runs] == [0, 1, 0, 1]


def test_duration_becomes_steps() -> None:
    data = changed("explorers.0.duration_ps", 20.0)
    del data["explorers"][0]["steps"]
    data["explorers"][0]["timestep_fs"] = 0.5
    assert runs_of(data)[0].length == 40_000


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("potental", 1, "`potental` is not a known key; did you mean `potential`"),
        ("potential.cutof_A", 5.0, "`cutof_A` in `potential` is not a known key; did you mean `cutoff_A`"),
        ("potential.cutoff_A", -5.0, "`potential.cutoff_A` is -5.0"),
        ("potential.cutoff_A", 500.0, "less than or equal to 15"),
        ("potential.cutoff_A", 0.05, "greater than or equal to 2"),
        ("potential.cutoff_A", "5 Å", "`potential.cutoff_A` is '5 Å', but it must be a number"),
        ("potential.cutoff_A", True, "`potential.cutoff_A` is True"),
        ("potential.level", 7, "multiple of 2"),
        ("potential.level", 40, "less than or equal to 24"),
        ("potential", {"level": 8, "cutoff_A": 3.0, "min_distance_A": 3.5}, "must be below cutoff_A = 3"),
        ("explorers.0.temperature_K", 1e5, "`explorers[0].temperature_K` is 100000.0"),
        ("explorers.0.temperature_K", [300, -1], "`explorers[0].temperature_K[1]` is -1"),
        ("explorers.0.temperature_K", float("nan"), "finite number"),
        ("explorers.0.timestep_fs", 100.0, "`explorers[0].timestep_fs` is 100.0"),
        ("explorers.0.ensemble", "nph", "'nve', 'nvt' or 'npt'"),
        ("explorers.0.structure", "bcc", "structure 'bcc', which is not among the structures fcc"),
        ("explorers.0.duration_ps", 1.0, "either `duration_ps` or `steps`"),
        ("explorers.0.kind", "mc", "there is no kind of explorer 'mc'; it is one of md, relax, neb, script"),
        ("explorers.0.kind", 3, "`explorers[0]`: `kind` is 3, but it is one of md, relax, neb, script"),
        (
            "explorers.0.tempreature_K",
            1,
            "in `explorers[0]` is not a known key; did you mean `temperature_K`",
        ),
        ("potential.kind", "gap", "there is no kind of potential 'gap'; it is one of mtp"),
        ("kind", "screening", "`kind` is 'screening', but it must be one of active-learning, hull-screening"),
        ("explorers", [], "at least 1 item"),
        ("explorers", "md", "`explorers` is 'md'"),
        ("species", ["Xx"], "a species is a chemical symbol"),
        ("species", ["Cu", "Cu"], "species 'Cu' is given twice"),
        ("species", ..., "`species` is missing"),
        ("name", "a/b", "a name is made of letters"),
        ("structures.0.file", "x.xyz", "either `file` or `build`"),
        ("structures.0.build.composition", {"Cu": 0.3}, "adds up to 0.3"),
        ("selection", {"gamma_save": 20.0}, "gamma_break = 10 must not be below gamma_save = 20"),
        ("stop", {"max_rounds": 0}, "`stop.max_rounds` is 0"),
        ("qm", None, "`qm` is None, but it must be a set of keys"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(path: str, value: Any, words: str) -> None:
    data = changed(path, value)
    with pytest.raises(InputError) as caught:
        parse_campaign(data, "cu.yaml")
    message = str(caught.value)
    assert words in message
    assert message.startswith("cu.yaml: ") and "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("name: [", "not valid YAML"),
        ("name: a\nname: b\n", "the key 'name' is given twice"),
        ("- 1\n- 2\n", "is a set of keys"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
        ("\x00", "not valid YAML"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        load_campaign(path)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        load_campaign(tmp_path / "campaign.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as a text file"):
        load_campaign(tmp_path / "binary.yaml")


def test_paths_are_relative_to_the_campaign_file(tmp_path: Path) -> None:
    data = changed("structures.0", {"name": "fcc", "file": "start.xyz"})
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(InputError, match=r"start\.xyz, which does not exist"):
        load_campaign(path)
    (tmp_path / "start.xyz").write_text("")
    assert load_campaign(path).structures[0].file == str(tmp_path / "start.xyz")


def test_numbers_with_an_exponent_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(MINIMAL) + "fit: {force_weight: 1e-3}\n")
    assert load_campaign(path).fit.force_weight == 1e-3


def test_structure_of_another_species_is_refused() -> None:
    data = changed("species", ["Al"])
    with pytest.raises(InputError, match="structure 'fcc' contains Cu, but the campaign's species are Al"):
        starting_structures(parse_campaign(data).structures, ["Al"])


def test_an_unknown_key_lists_the_keys_of_its_kind() -> None:
    neb = {"name": "hop", "kind": "neb", "ensemble": "nvt"}
    with pytest.raises(InputError) as caught:
        parse_campaign(changed("explorers", [neb]))
    message = str(caught.value)
    assert "`ensemble` in `explorers[0]` is not a known key" in message
    assert "images" in message and "temperature_K" not in message


def test_files_without_a_kind_are_active_learning() -> None:
    assert parse_campaign(MINIMAL).kind == "active-learning"
    assert parse_campaign(MINIMAL | {"kind": "active-learning"}) == parse_campaign(MINIMAL)


def test_a_stored_configuration_is_read_back_unchanged() -> None:
    campaign = parse_campaign(MINIMAL)
    assert parse_campaign(campaign.model_dump(mode="json")) == campaign


def test_the_documentation_is_made_from_the_schemas_of_today() -> None:
    script = ROOT / "docs" / "make_campaign_file.py"
    for path, text in runpy.run_path(str(script))["pages"]().items():
        assert path.read_text() == text, f"{path.name}: run python {script.relative_to(ROOT)}"
