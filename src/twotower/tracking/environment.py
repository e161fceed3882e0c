"""What a run ran on: source, library versions, machine."""

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


def environment_tags() -> dict[str, str]:
    """Tags of the current environment; what cannot be known is left out.

    `git.commit`, `git.dirty` (tracked files differ from it) of the repository that holds the
    current directory; `version.<library>`; `machine.platform`, `.cpus`, `.gpu`; and those under
    MLflow's own names that its UI shows: user, source, commit.
    """
    return {**_git_tags(), **_version_tags(), **_machine_tags(), **_mlflow_tags()}


@cache
def code_version() -> str:
    """Version and commit of the code that this process runs, such as `0.1.0, commit 1a2b3c4d with
    changes`: as it was at the first call."""
    tags = _git_tags()
    told = version("twotower")
    if "git.commit" in tags:
        told += f", commit {tags['git.commit'][:8]}"
        told += " with changes" if tags.get("git.dirty") == "true" else ""
    return told


def _git_tags() -> dict[str, str]:
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    tags = {"git.commit": commit, "mlflow.source.git.commit": commit}
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return tags if changes is None else {**tags, "git.dirty": str(bool(changes)).lower()}


def _git(*arguments: str) -> str | None:
    """What git prints; None without git, outside a repository or before the first commit."""
    # Optional locks off: reading must not get in the way of a git that works next to it.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS)
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
    with suppress(OSError, KeyError):  # a container's user id without a name
        tags["mlflow.user"] = getpass.getuser()
    return {key: value for key, value in tags.items() if value}
