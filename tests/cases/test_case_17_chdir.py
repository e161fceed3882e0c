"""`hydra.job.chdir=true` moves neither the store nor the data."""

from __future__ import annotations

from pathlib import Path

from case_runner import Case


def test_paths_start_where_the_command_is_called(case: Case) -> None:
    case.train("dataset.path=base.csv", "hydra.job.chdir=true")
    assert [path.parent.name for path in case.folder.rglob("mlflow.db")] == ["out"]
    case.call("recommend", "users=[1]", "k=2", "output_dir=out")
    assert Path("out/recommendations.csv").is_file()
