"""A run of two processes, one of which is killed, ends at once; the same command resumes it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import TWOTOWER, runs  # type: ignore[import-not-found]

from twotower.tracking.store import open_store


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
def test_the_death_of_one_ends_both_and_the_run_is_resumed(
    small: list[str], output_dir: Path, tmp_path: Path
) -> None:
    epochs = 200
    command = [
        *TWOTOWER, "train", *small, "trainer=ddp", "trainer.accelerator=cpu",
        f"trainer.max_epochs={epochs}", "trainer.patience=null", "trainer.checkpoint_seconds=0",
        "trainer.progress_bar=true", "evaluation.test=never",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if f"epoch 20/{epochs}" in line:
                (other,) = (pid for pid in children(process.pid) if is_running(pid))
                os.kill(other, signal.SIGKILL)
                killed = time.monotonic()
                break
        lines += process.stderr.readlines()
        assert process.wait(60) == 1, "".join(lines)
    assert time.monotonic() - killed < 60
    assert "another process of this run has ended" in lines[-1]
    assert "Traceback" not in "".join(lines)
    (run,) = runs(output_dir)
    assert run.info.status == "FAILED"

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("resuming the interrupted run") == 1
    assert f"epoch 10/{epochs}" not in done.stderr
    assert done.stderr.count(f"epoch {epochs}/{epochs}") == 1
    (run,) = runs(output_dir)
    assert run.info.status == "FINISHED"
    client = open_store(f"sqlite:///{output_dir}/mlflow.db")
    logged = [each.step for each in client.get_metric_history(run.info.run_id, "train/loss")]
    assert sorted(set(logged)) == list(range(1, epochs + 2))  # the kept epoch comes last again
