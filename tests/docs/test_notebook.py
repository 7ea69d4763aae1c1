"""The notebook of the tutorial runs, and the potential that it learns has the phonons of its teacher."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("phonopy")

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "tutorial" / "copper.ipynb"


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("print('largest', largest_error_THz)"))
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    printed = "".join(o.get("text", "") for cell in notebook.cells for o in cell.get("outputs", []))
    assert "finished" in printed
    assert "51 frames" in printed
    largest_error_THz = float(printed.split("largest ")[-1])
    assert largest_error_THz < 0.1  # of 8 THz
