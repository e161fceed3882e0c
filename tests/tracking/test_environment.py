from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from twotower.tracking.environment import _commit_of, environment_tags


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    return tmp_path


def test_the_commit_of_the_user_is_kept_under_its_own_name(repository: Path) -> None:
    assert "mlflow.source.git.commit" not in environment_tags()  # no commit yet
    source = repository / "source.py"
    source.write_text("a = 1")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "first")
    tags = environment_tags()
    assert tags["mlflow.source.git.commit"] == git(repository, "rev-parse", "HEAD")
    assert tags["mlflow.source.git.commit"][:8] not in tags["code.version"]


def test_the_code_is_of_the_checkout_that_tracks_the_package(repository: Path) -> None:
    package = repository / "venv" / "twotower"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (repository / "a.py").write_text("")
    git(repository, "add", "a.py")
    git(repository, "commit", "-qm", "first")
    assert _commit_of(package) == ""  # installed into an environment in somebody's repository
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    (repository / "outputs").mkdir()
    (repository / "outputs" / "mlflow.db").write_text("files of a run are not source changes")
    commit = f", commit {git(repository, 'rev-parse', 'HEAD')[:8]}"
    assert _commit_of(package) == commit
    (package / "__init__.py").write_text("a = 2")
    assert _commit_of(package) == f"{commit} with changes"


def test_outside_a_repository_and_without_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not [key for key in environment_tags() if "git" in key]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not [key for key in environment_tags() if "git" in key]


def test_versions_and_machine() -> None:
    tags = environment_tags()
    for library in ("torch", "pytorch-lightning", "mlflow", "replay-rec", "polars", "numpy"):
        assert tags[f"version.{library}"] == version(library)
    assert tags["version.python"].startswith("3.")
    assert int(tags["machine.cpus"]) > 0
    assert tags["machine.platform"]
