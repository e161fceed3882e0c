from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from matplotlib.figure import Figure

from twotower.tracking.base import Run, Tracking
from twotower.tracking.none import NoTracking


def test_every_call_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tracking: Tracking = NoTracking()
    run: Run
    with tracking.run(name="none", config={"a": 1}, tags={}) as run:
        run.log_metrics({"val/mrr": 0.5}, step=1)
        run.log_dataset(pl.DataFrame(), "ml", "train", "d", "s")
        run.log_file(tmp_path / "x")
        run.log_folder(tmp_path)
        run.log_figure(Figure(), "a.png")
        run.log_frame(pl.DataFrame(), "a.parquet")
        run.log_text("a", "a.txt")
        run.log_yaml({"a": 1}, "a.yaml")
        run.set_description("a")
        run.set_tags({"a": "b"})
    assert (run.id, run.experiment_id, run.url) == (None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_errors_propagate() -> None:
    with (
        pytest.raises(ValueError, match="the reason"),
        NoTracking().run(name="none", config={}, tags={}),
    ):
        raise ValueError("the reason")


def test_slow_libraries_are_not_imported() -> None:
    script = "import sys, twotower.tracking.none; print({'mlflow', 'matplotlib'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")
