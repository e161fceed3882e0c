"""The steps of CONTRIBUTING.md that add a sampler work in a clone, one after the other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import blocks

ROOT = Path(__file__).parents[2]
# In one process, which imports torch once: the steps' pytest, then a run with the new choice.
STEPS = """
import sys
import pytest

code = pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]])
if not code:
    from twotower.cli import main  # pytest has to be first, to rewrite assertions

    main(["train", "negative_sampling=log_popularity", "trainer.max_epochs=1", "tracking=none",
          "dataset=synthetic", "dataset.n_users=60", "dataset.n_items=60",
          "dataset.n_interactions=1200", "preprocessing=none"])
sys.exit(code)
"""


@pytest.mark.slow
def test_a_sampler_is_added_by_the_documented_steps(tmp_path: Path) -> None:
    for name in ("src", "conf"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests" / "negative_sampling").mkdir(parents=True)
    for name in ("conftest.py", "test_contracts.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    found = list(blocks(ROOT / "CONTRIBUTING.md"))
    for block in found:
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text)
    commands = [each for block in found if block.language == "sh" for each in block.commands]
    (command,) = [each for each in commands if each[0] == "pytest" and "-k" in each]
    own = "tests/negative_sampling/test_log_popularity.py"
    done = subprocess.run(
        [sys.executable, "-c", STEPS, *command[1:], own],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "this run" in done.stdout
