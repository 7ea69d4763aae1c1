from __future__ import annotations

import pytest

from alflow.cli.output import print_table


def test_brackets_are_text_and_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("how", ["code", "mend"], [["pyscf", "pip install 'alflow[pyscf]'"], ["other", None]])
    printed = capsys.readouterr().out
    assert "'alflow[pyscf]'" in printed
    assert "–" in printed


@pytest.mark.parametrize("width", [80, 200])
def test_nothing_is_cut_off(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    long, formula, reason = "x" * 100, "Cu12Pd24O64Si12", "a sentence about what was wrong. " * 4
    rows = [["1.2", formula, 3.14159, long, 7], ["1.3", "Cu", None, reason, -0.00012345]]
    print_table("labels", ["label", "formula", "γ", "explorer, step", "level"], rows)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    header = next(line for line in lines if "formula" in line)
    begins = [header.index(word) for word in ("label", "formula", "explorer,")]
    assert formula in "".join(line[begins[1] : begins[1] + 15].split("   ")[0].strip() for line in lines[3:])
    assert "".join(line[begins[2] :].split("   ")[0].strip() for line in lines[3:]).count("x") == 100
    assert all(any(number in line.split() for line in lines) for number in ("3.142", "-0.0001234", "7", "–"))
