"""Copies the folder of a case, and runs `twotower` inside that copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from case_runner import Case

CASES = Path(__file__).parent


@pytest.fixture
def case(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    migrated_db: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Case:
    """The case of a test module: `test_case_04_ties_by_item_id.py` has `04-ties-by-item-id`."""
    assert request.path.stem.startswith("test_case_")
    name = request.path.stem.removeprefix("test_case_").replace("_", "-")
    folder = tmp_path / "case"
    if (CASES / name).is_dir():
        shutil.copytree(CASES / name, folder)
    else:
        folder.mkdir()
    (folder / "out").mkdir(exist_ok=True)
    shutil.copy(migrated_db, folder / "out" / "mlflow.db")
    monkeypatch.chdir(folder)
    return Case(folder)
