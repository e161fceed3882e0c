"""Two processes of one run reach what one process reaches, within rounding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_trainer import TRAINER  # type: ignore[import-not-found]
from two_processes import PER_STEP, outcome  # type: ignore[import-not-found]


@pytest.mark.slow
def test_gathered_negatives_make_two_processes_equal_to_one(tmp_path: Path) -> None:
    """The same rows per step and one pool: losses, metrics of the lists, coverage, embeddings."""
    script = Path(__file__).with_name("two_processes.py")
    path = os.pathsep.join([str(script.parent), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, str(script), str(tmp_path / "found.json")],
        env=os.environ | {"PYTHONPATH": path, "GLOO_SOCKET_IFNAME": "lo"},
        check=True,
        timeout=300,
    )
    both = json.loads((tmp_path / "found.json").read_text())
    one = outcome(replace(TRAINER, batch_size=PER_STEP), gather=True)
    for epoch in (*one["history"], *both["True"]["history"]):
        del epoch["val/loss"]  # its batches have trainer.batch_size rows, in each process
    assert both["True"]["history"] == [pytest.approx(epoch, rel=1e-4) for epoch in one["history"]]
    assert torch.allclose(
        torch.tensor(both["True"]["items"]), torch.tensor(one["items"]), atol=1e-4
    )
    # With half the negatives the loss is lower.
    assert both["False"]["history"][0]["train/loss"] < both["True"]["history"][0]["train/loss"]
