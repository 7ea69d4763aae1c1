from __future__ import annotations

import pytest

from alflow.cli.output import print_table


def test_brackets_are_text_and_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("how", ["code", "mend"], [["pyscf", "pip install 'alflow[pyscf]'"], ["other", None]])
    printed = capsys.readouterr().out
    assert "'alflow[pyscf]'" in printed
    assert "–" in printed
