"""A disk that is full in the middle of a training: a clear error, and the same command resumes."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from fresh_processes import begin

import twotower
from twotower.core.errors import ResourceError

WIDE = ("tower.emb_dim=4000", "trainer.checkpoint_seconds=0")  # checkpoints of several MB


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
