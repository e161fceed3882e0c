"""Every command and example of README, CONTRIBUTING and docs/ runs as it is written.

They run in this process and in a folder of their own, on a MovieLens of 80 users; `doc_commands.py`
lists what is cut to the size of a test, `doc_blocks.py` the comments by which a page changes that.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import doc_commands
import doc_data
import pytest
import yaml
from doc_blocks import Block, blocks
from repository import PAGES

from twotower.dataset.movielens_100k import MovieLens100K
from twotower.types import Interactions

ROOT = Path(__file__).parents[2]
WRITTEN = {page for page in (ROOT / "docs").glob("*.md") if page.name not in PAGES.values()}
TESTED = sorted(
    page for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *WRITTEN) if any(blocks(page))
)


@pytest.fixture(scope="module")
def movielens() -> Interactions:
    return doc_data.movielens()


@pytest.fixture
def folder(
    tmp_path: Path, migrated_db: Path, movielens: Interactions, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The folder of one page: sample files, an empty store, on the path of imports."""
    doc_data.write_files(tmp_path, movielens)
    (tmp_path / "outputs").mkdir()
    shutil.copy(migrated_db, tmp_path / "outputs" / "mlflow.db")
    monkeypatch.setattr(MovieLens100K, "load", lambda _: movielens)
    monkeypatch.setattr(sys, "argv", ["twotower"])
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]  # or another page's module of that name would not be read


@pytest.mark.slow
@pytest.mark.parametrize("page", TESTED, ids=lambda page: page.stem)
def test_the_commands_and_examples_of_a_page_run(page: Path, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        try:
            _run(block, names)
        except BaseException as error:
            error.add_note(f"in the block at {page.relative_to(ROOT)}:{block.line}")
            raise


def with_overrides(command: list[str], overrides: str) -> list[str]:
    """Return the command with the overrides, which replace those of the same keys."""
    keys = {override.partition("=")[0] for override in overrides.split()}
    return [*(w for w in command if w.partition("=")[0] not in keys), *overrides.split()]


def _run(block: Block, names: dict[str, Any]) -> None:
    for mark in block.marks:
        if mark.action == "before":
            doc_commands.run(mark.what.split())
    if block.language == "yaml":
        yaml.safe_load(block.text)
    if block.shown:
        return
    if block.file is not None:
        path = Path(block.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        importlib.invalidate_caches()
    elif block.language == "sh":
        for command in block.commands:
            if block.marked("compose", command):
                doc_commands.compose(command[1:])
            else:
                doc_commands.run(with_overrides(command, " ".join(block.marked("add", command))))
    elif block.language == "python":
        exec(compile(block.text, "example", "exec"), names)
