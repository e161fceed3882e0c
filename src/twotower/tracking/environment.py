"""The environment of a run: source, library versions, machine."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

LIBRARIES = ("twotower", "torch", "pytorch-lightning", "mlflow", "replay-rec", "polars", "numpy")
_GIT_SECONDS = 10
_PACKAGE = Path(__file__).parents[1]


def environment_tags() -> dict[str, str]:
    """Return tags that describe the current environment; what is unknown is left out.

    `code.version` (see `code_version`); `version.<library>`; `machine.platform`, `.cpus`, `.gpu`;
    and MLflow's own tags that its UI shows: user, source, and the commit of the user's repository,
    which is the one of the working directory.
    """
    return {"code.version": code_version(), **_version_tags(), **_machine_tags(), **_mlflow_tags()}


@cache
def code_version() -> str:
    """Return twotower's version and the commit of its checkout, such as `0.1.0, commit 1a2b3c4d
    with changes`, as of the first call. A wheel has no commit."""
    return version("twotower") + _commit_of(_PACKAGE)


def _commit_of(package: Path) -> str:
    """Return `, commit 1a2b3c4d` for a package that git tracks, else an empty string."""
    if _git("ls-files", "--error-unmatch", "__init__.py", folder=package) is None:
        return ""  # such as a virtual environment inside the user's repository
    described = ("--always", "--dirty", "--abbrev=8", "--exclude=*")  # the commit, without tags
    commit = _git("describe", *described, folder=package)
    return f", commit {commit.replace('-dirty', ' with changes')}" if commit else ""


def _git(*arguments: str, folder: Path | None = None) -> str | None:
    """Return what git prints; None without git, outside a repository or before the first commit.

    GitPython would add an import of 0.1 s, fails to import without git, and takes git's locks.
    """
    # Without optional locks, so as not to block another git command.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version_tags() -> dict[str, str]:
    tags = {"version.python": platform.python_version()}
    for library in LIBRARIES:
        try:
            tags[f"version.{library}"] = version(library)
        except PackageNotFoundError:  # run from a source tree that is not installed
            continue
    return tags


def _machine_tags() -> dict[str, str]:
    tags = {"machine.platform": platform.platform(), "machine.cpus": str(os.cpu_count())}
    if torch.cuda.is_available():
        tags["machine.gpu"] = torch.cuda.get_device_name()
    return tags


def _mlflow_tags() -> dict[str, str]:
    tags = {"mlflow.source.name": Path(sys.argv[0]).name, "mlflow.source.type": "LOCAL"}
    if commit := _git("rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = commit
    with suppress(OSError, KeyError):  # a container's user id without a name
        tags["mlflow.user"] = getpass.getuser()
    return {key: value for key, value in tags.items() if value}
