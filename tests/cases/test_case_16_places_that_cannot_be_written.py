"""Places that cannot be written are named by their key before anything is read or trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from case_runner import Case

import twotower
from twotower.core.errors import ConfigError

SAYS = "where nothing can be written (Not a directory); must be a place that exists or can be"


@pytest.fixture
def taken(case: Case) -> Case:
    """`afile` is a file, so that nothing can be below it."""
    (case.folder / "afile").touch()
    return case


@pytest.mark.parametrize("multirun", [[], ["-m", "seed=0,1"]])
@pytest.mark.parametrize(
    ("override", "output"),
    [
        ("output_dir=afile/o", f"twotower: output_dir: got 'afile/o', {SAYS}"),
        ("tracking.artifact_location=afile/art", "tracking.artifact_location: got '"),
        (
            "tracking.artifact_location=gs://no-such-bucket/x",
            "tracking.artifact_location: got 'gs://no-such-bucket/x', and gs:// needs google",
        ),
        ("tracking.artifact_location=nosuch://x", "an address that MLflow cannot write to"),
        ("tracking.uri=sqlite:///afile/o/mlflow.db", "tracking.uri=sqlite:///"),
    ],
)
def test_a_run_and_a_sweep_name_the_key(
    taken: Case, multirun: list[str], override: str, output: str
) -> None:
    text = taken.train("dataset.path=base.csv", *multirun, override, code=1).text
    (line,) = [line for line in text.splitlines() if line.startswith("twotower: ")]
    assert output in line
    assert "epoch" not in text


@pytest.mark.parametrize(
    ("key", "more"), [("hydra.run.dir", []), ("hydra.sweep.dir", ["-m", "seed=0,1"])]
)
def test_the_folders_of_hydra_are_checked(taken: Case, key: str, more: list[str]) -> None:
    text = taken.train("dataset.path=base.csv", f"{key}=afile/x", *more, code=1).text
    assert f"{key}: got 'afile/x', {SAYS}" in text


def test_the_other_commands_name_the_key(taken: Case) -> None:
    for key, words in (("out", "recommend users=[1]"), ("file", "compare sweep=latest")):
        file = f"{key}=afile/rec.csv"
        text = taken.call(*words.split(), file, "output_dir=out", code=1).text
        assert f"{key}: got 'afile', {SAYS}" in text
    Path("folder.csv").mkdir()
    text = taken.call("recommend", "out=folder.csv", "output_dir=out", code=1).text
    assert "out: got 'folder.csv', which is a folder" in text
    for command in ("recommend", "ui", "compare runs=[a,b]", "sweep status"):
        assert "afile/o" in taken.call(*command.split(), "output_dir=afile/o", code=1).text
    assert (
        f"output_dir: got 'afile/o', {SAYS}"
        in taken.call("baselines", "output_dir=afile/o", "tracking=none", code=1).text
    )


def test_python_names_the_key(taken: Case) -> None:
    with pytest.raises(ConfigError, match="output_dir: got 'afile/o'"):
        twotower.run(["output_dir=afile/o", "tracking=none"])


def test_what_can_be_written_is_left_as_it_is(case: Case) -> None:
    from twotower.core.writable import require_writable_folder

    require_writable_folder("output_dir", case.folder / "new" / "deep")
    assert not (case.folder / "new").exists()
    shutil.rmtree(case.folder / "out")
    require_writable_folder("output_dir", "out")
