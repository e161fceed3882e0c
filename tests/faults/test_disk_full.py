"""A disk that is full in the middle of a training: a clear error, and the same command resumes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from fresh_processes import begin
from mlflow import MlflowClient

import twotower
from twotower.core.errors import ResourceError

resource = pytest.importorskip("resource")
WIDE = ("tower.emb_dim=4000", "trainer.checkpoint_seconds=0", "embedding_plot=none")
MB = 1_000_000
# Some 100 rows of 4,000 floats: weights, two moments of Adam, and the best weights.
CHECKPOINT = 4 * 100 * 4000 * 4


def run_with_little_room(overrides: list[str], note: str) -> None:
    """Run where no file may become larger than 1.5 MB, and note the error."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
    try:
        twotower.run(overrides)
    except ResourceError as error:
        Path(note).write_text(str(error))
        os._exit(1)


@pytest.mark.slow
def test_a_file_that_cannot_be_written(untracked: list[str], tmp_path: Path) -> None:
    overrides = [*untracked, *WIDE]
    process = begin(run_with_little_room, overrides, str(tmp_path / "note"))
    process.join(120)
    assert process.exitcode == 1
    message = (tmp_path / "note").read_text()
    assert "cannot write" in message
    assert f"bytes free in {tmp_path}" in message
    whole = twotower.run([*overrides, "resume=false"]).metrics
    assert twotower.run(overrides).metrics == whole


Resize = Callable[[int], object]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A file system of its own, and what sets its size in bytes."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=True)

    if shutil.which("mount") is None or os.getuid() != 0:
        pytest.skip("needs root, to mount a file system")
    with suppress(subprocess.CalledProcessError):
        mount(f"size={MB}")
    if not place.is_mount():
        pytest.skip("needs the right to mount a file system")
    try:
        yield place, lambda size: mount(f"remount,size={size}")
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.slow
def test_a_small_disk_that_grows(
    disk: tuple[Path, Resize], small: list[str], output_dir: Path, tmp_path: Path
) -> None:
    place, resize = disk
    (tmp_path / "elsewhere").mkdir()
    untracked = [*small, *WIDE, "tracking=none", f"output_dir={tmp_path}/elsewhere"]
    whole = twotower.run(untracked).metrics
    resize(CHECKPOINT + 4 * MB)  # room for one checkpoint, not for the next one next to it
    shutil.copy(output_dir / "mlflow.db", place)
    overrides = [*small, *WIDE, f"output_dir={place}"]
    with pytest.raises(ResourceError) as caught:
        twotower.run(overrides)
    (last,) = place.glob("unfinished/*/*/selection/last.ckpt")
    message = str(caught.value)
    assert message.startswith(f"cannot write {last}: No space left on device, ")
    needed = int(message.split(", ", 1)[1].split(" bytes are needed")[0].replace(",", ""))
    assert 0.9 * CHECKPOINT < needed < 1.1 * CHECKPOINT
    assert torch.load(last, weights_only=True)["epoch"] == 0  # the first, intact
    resize(64 * MB)
    resumed = twotower.run(overrides)
    assert {name: resumed.metrics[name] for name in whole if name.startswith("test/")} == {
        name: value for name, value in whole.items() if name.startswith("test/")
    }
    client = MlflowClient(f"sqlite:///{place}/mlflow.db")
    experiments = [each.experiment_id for each in client.search_experiments()]
    (run,) = client.search_runs(experiments)
    assert (run.info.run_id, run.info.status) == (resumed.run_id, "FINISHED")
