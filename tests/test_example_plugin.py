"""examples/plugin works where it is installed: its tests pass, and its choices train together."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[1] / "examples" / "plugin"
# In one process, which imports torch once: the tests of the plug-in, then a run with its choices.
STEPS = """
import sys
import pytest

code = pytest.main(["-q", "-p", "no:cacheprovider", sys.argv[1]])
if not code:
    from twotower.cli import main  # pytest has to be first, to rewrite assertions

    main(["train", "loss=focal", "negative_sampling=root_popularity", "evaluation=tail_hits",
          "trainer.max_epochs=1", "tracking=none", "dataset=synthetic", "dataset.n_users=60",
          "dataset.n_items=60", "dataset.n_interactions=1200", "preprocessing=none"])
sys.exit(code)
"""


def install(project: Path, site: Path) -> None:
    """Write what `pip install --editable` writes of a package with entry points."""
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    info = site / f"{metadata['name'].replace('-', '_')}-{metadata['version']}.dist-info"
    info.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: {metadata['name']}\nVersion: {metadata['version']}\n"
    (info / "METADATA").write_text(head)
    groups = metadata["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in e.items()) for group, e in groups]
    (info / "entry_points.txt").write_text("".join(lines))


@pytest.mark.slow
def test_the_example_plugin_is_installed_tested_and_trained_with(tmp_path: Path) -> None:
    install(PLUGIN, tmp_path / "site")
    path = os.pathsep.join([str(tmp_path / "site"), str(PLUGIN / "src")])
    done = subprocess.run(
        [sys.executable, "-c", STEPS, str(PLUGIN / "tests")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    assert "TailHits" in done.stdout or "tail_hits" in done.stdout
