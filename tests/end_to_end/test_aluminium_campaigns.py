"""The campaign of benchmarks/aluminium.py, cut short: it ends with each code, and labels know their level."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "aluminium.py"

pytestmark = pytest.mark.slow


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.delenv("ALFLOW_MONGO_URI", raising=False)
    pytest.importorskip("secantus", reason="needs the embedded database: pip install 'alflow[embedded]'")
    names = runpy.run_path(str(BENCHMARK))
    names["CAMPAIGN"]["explorers"][0] |= {"structure": "fcc-4", "temperature_K": 300, "duration_ps": 0.1}
    names["CAMPAIGN"] |= {"initial": {"count": 4}, "stop": {"max_labels": 8}}
    return names


@pytest.mark.parametrize(
    "name",
    [
        "ase",
        "vasp",
        *(pytest.param(code, marks=pytest.mark.real_qm) for code in ("espresso", "orbital-free")),
    ],
)
def test_the_campaign_ends(benchmark: dict[str, Any], name: str, tmp_path: Path) -> None:
    code = benchmark["codes"](tmp_path)[name]
    if not code.present:
        pytest.skip(f"{name} is not installed here: `alflow doctor` says how to get it")
    campaign, labels = benchmark["run"](name, code, tmp_path)
    assert campaign["state"] in ("finished", "stopped"), campaign["reason"]
    done = [label for label in labels if label["state"] == "done"]
    assert len(done) >= 3
    assert len({label["level_hash"] for label in labels}) == 1
    assert all(label["level"]["code"] and label["code_version"] and label["host"] for label in done)
    if name == "vasp":  # accidents are planted, and what was learned is none of them
        accidents = [label for label in labels if label["state"] == "failed"]
        corrected = [label for label in done if label["details"]["corrections"]]
        assert accidents or corrected
    else:
        assert len(done) == len(labels)
