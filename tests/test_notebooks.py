"""The notebooks in examples/ run, cell by cell, in this process; `make notebooks` uses a kernel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(
    notebook: Path, tmp_path: Path, migrated_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    shutil.copy(migrated_db, tmp_path / "outputs" / "mlflow.db")
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [each for each in json.loads(notebook.read_text())["cells"] if each["source"]]
    for number, cell in enumerate(each for each in cells if each["cell_type"] == "code"):
        source = "".join(cell["source"])
        try:
            exec(compile(source, f"{notebook.name}, cell {number}", "exec"), names)
        except Exception as error:
            error.add_note(f"in code cell {number} of {notebook.name}:\n{source}")
            raise


def test_there_are_notebooks_with_small_outputs() -> None:
    assert {"getting_started", "sweep_and_compare"} <= {path.stem for path in NOTEBOOKS}
    assert all(path.stat().st_size < 100_000 for path in NOTEBOOKS)
