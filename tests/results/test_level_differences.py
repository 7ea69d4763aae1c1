from __future__ import annotations

from alflow.results.level_differences import level_differences

PW = {
    "interface": "espresso",
    "ecutwfc_Ry": 40,
    "kpoints": {"mesh": [2, 2, 2]},
    "pseudopotentials": {"Si": "0123456789abcdef"},
}


def test_differences_are_words_and_not_checksums() -> None:
    other = PW | {"kpoints": {"mesh": [1, 1, 1]}, "pseudopotentials": {"Si": "f" * 16}, "nspin": 2}
    assert level_differences([PW, other]) == [
        "level 2 differs from level 1: kpoints.mesh is [1, 1, 1] instead of [2, 2, 2]; "
        "pseudopotentials.Si is another file; nspin is 2 instead of not given"
    ]


def test_another_code_is_all_that_is_said() -> None:
    (said,) = level_differences([PW, {"interface": "vasp", "ENCUT": 500}])
    assert said == "level 2 differs from level 1: interface is vasp instead of espresso"


def test_one_level_has_no_differences_and_many_are_counted() -> None:
    assert level_differences([PW]) == []
    (said,) = level_differences([{str(i): i for i in range(7)}, {str(i): -i for i in range(7)}])
    assert said.endswith("4 is -4 instead of 4; and 2 more")
