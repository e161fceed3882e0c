"""Characters that Hydra, a shell, a URL or a terminal give a meaning, in the paths of a run."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from case_runner import Case

from twotower.config import compose, render

NAMES = ["runs/lr=0.1", "#1 [b] {c}, $HOME 'q' \"é\""]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_goes_to_any_folder_and_is_found_there(case: Case, name: str) -> None:
    Path(name).mkdir(parents=True)
    shutil.copy("out/mlflow.db", f"{name}/mlflow.db")
    log = case.folder / f"{Path(name).name}.csv"
    shutil.copy("base.csv", log)
    where = render("output_dir", name)
    text = case.train(render("dataset.path", str(log)), where).text
    (line,) = [line for line in text.splitlines() if line.startswith("open ")]
    program, command, *overrides = shlex.split(line.removeprefix("open "))
    assert (program, command) == ("twotower", "ui")
    assert compose("ui", overrides)["output_dir"] == name
    assert "written to" in case.call("recommend", where, "users=[1]", "k=2").text
    assert Path(name, "recommendations.csv").is_file()


def test_a_sweep_goes_to_any_folder(case: Case) -> None:
    (name, _) = NAMES
    Path(name).mkdir(parents=True)
    shutil.copy("out/mlflow.db", f"{name}/mlflow.db")
    axis = ("dataset.path=base.csv", "tower.emb_dim=4,8")
    text = case.sweep(*axis, render("output_dir", name)).text
    (line,) = [line for line in text.splitlines() if line.startswith("best ")]
    best = shlex.split(line.removeprefix("best "))[2:]
    assert compose("train", best)["output_dir"] == name
    assert "2 of 2 trials are done already" in case.sweep(*axis, render("output_dir", name)).text
