"""The installed command in processes of its own, and what it leaves in the store."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow.entities import Run

from twotower.cli import main
from twotower.tracking.store import open_store

# The installed command, since Lightning starts further processes with it.
TWOTOWER = [str(Path(sys.executable).with_name("twotower"))]


def call(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, which must be `code`."""
    done = subprocess.run([*TWOTOWER, *arguments], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def refusal(*arguments: str) -> str:
    """Return the output of a command that exits with 1, run in this process for speed."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert isinstance(caught.value.code, str)  # which Python prints to stderr, and exits with 1
    return caught.value.code


@contextmanager
def start(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Begin the command, for somebody to interrupt it; killed if the test fails meanwhile."""
    with subprocess.Popen(
        [*TWOTOWER, *arguments],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def wait_for(what: Callable[[], object], seconds: float = 180) -> None:
    """Until `what` gives something true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def runs(output_dir: Path) -> list[Run]:
    """Every run of the experiment, the latest first."""
    client = open_store(f"sqlite:///{output_dir}/mlflow.db")
    experiment = client.get_experiment_by_name("twotower")
    return client.search_runs([experiment.experiment_id]) if experiment else []
