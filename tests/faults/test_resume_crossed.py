"""A run that was interrupted is resumed to the same numbers, whatever it trains with."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import pytorch_lightning as lightning

import twotower
from twotower.running import unfinished
from twotower.running.result import Result
from twotower.training.epoch_metrics import EpochMetrics

EVERY_EPOCH = "trainer.checkpoint_seconds=0"


class Shrinking(lightning.Callback):
    """A callback of a user, with a state: it shrinks all weights, more each epoch."""

    def __init__(self) -> None:
        self.epochs = 0

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        self.epochs += 1
        for weights in module.parameters():
            weights.data *= 1 - 0.1 * self.epochs

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epochs = state_dict["epochs"]


@contextmanager
def interrupted_in(epoch: int) -> Iterator[list[int]]:
    """Raise Ctrl-C at the end of an epoch; yield the epochs that were trained."""
    trained: list[int] = []
    original = EpochMetrics.on_train_epoch_end

    def ending(self: EpochMetrics, trainer: lightning.Trainer, *arguments: Any) -> None:
        if len(trained) == epoch - 1:
            raise KeyboardInterrupt
        original(self, trainer, *arguments)
        trained.append(trainer.current_epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EpochMetrics, "on_train_epoch_end", ending)
        yield trained


def interrupt(overrides: list[str], epoch: int) -> None:
    with interrupted_in(epoch), pytest.raises(KeyboardInterrupt):
        twotower.run(overrides)


def same(one: Result, other: Result) -> bool:
    """Whether all metrics are equal to the last bit, but for those of time and memory."""
    costs = ("second", "share", "memory", "flop")
    names = [name for name in other.metrics if not any(cost in name for cost in costs)]
    return [one.metrics[name] for name in names] == [other.metrics[name] for name in names]


@pytest.fixture
def log_file(tmp_path: Path) -> Callable[[int], Path]:
    """Write the log of a seed to the same file, and return its path."""

    def write(seed: int) -> Path:
        draw = random.Random(seed)
        pairs = draw.sample([*product(range(60), range(40))], 1000)
        start = datetime(2024, 1, 1)
        rows = [(*pair, start + timedelta(hours=place)) for place, pair in enumerate(pairs)]
        log = pl.DataFrame(rows, ["user_id", "item_id", "timestamp"], orient="row")
        log.write_parquet(tmp_path / "log.parquet")
        return tmp_path / "log.parquet"

    return write


def of_file(overrides: list[str], path: Path) -> list[str]:
    """Replace the synthetic dataset by a file."""
    kept = [each for each in overrides if not each.startswith("dataset")]
    return [*kept, "dataset=file", f"dataset.path={path}"]


@pytest.mark.parametrize(
    "choices",
    [
        ["trainer.kernel=autograd"],
        ["trainer.kernel=fused", "optimizer=adagrad"],
        ["tower/prior=popularity"],
        ["tower=history", "tower/encoder=gru"],
        ["trainer/callbacks=[ema,timer]"],
        ["+trainer.callbacks.shrinking._target_=test_resume_crossed.Shrinking"],
        ["debug=overfit", "trainer.max_epochs=4", "trainer.validate_every=1"],
        ["debug=profile"],
        ["split.validation=false", "trainer.patience=null", "trainer.refit=false"],
    ],
    ids=" ".join,
)
@pytest.mark.slow
def test_the_same_command_resumes(choices: list[str], untracked: list[str]) -> None:
    overrides = [*untracked, *choices, EVERY_EPOCH]
    whole = twotower.run([*overrides, "resume=false"])
    interrupt(overrides, epoch=3)
    with interrupted_in(epoch=99) as trained:
        resumed = twotower.run(overrides)
    assert 0 not in trained[:1]  # it did not start over
    assert same(resumed, whole)
    assert resumed.history.equals(whole.history)


def test_a_debug_run_of_one_epoch_starts_over(untracked: list[str]) -> None:
    overrides = [*untracked, "debug=fast_dev_run", EVERY_EPOCH]
    interrupt(overrides, epoch=1)
    assert twotower.run(overrides).metrics


@pytest.mark.slow
def test_a_streamed_log(untracked: list[str], log_file: Callable[[int], Path]) -> None:
    overrides = [*of_file(untracked, log_file(0)), "dataset.streaming=true", EVERY_EPOCH]
    whole = twotower.run([*overrides, "resume=false"])
    interrupt(overrides, epoch=3)
    assert same(twotower.run(overrides), whole)


@pytest.mark.slow
def test_a_run_that_continues_from_a_checkpoint(untracked: list[str], tmp_path: Path) -> None:
    twotower.run([*untracked, "trainer.keep_checkpoint=last"])
    (kept,) = tmp_path.glob("runs/*/*/selection/checkpoints/last.ckpt")
    overrides = [*untracked, "trainer.max_epochs=7", f"trainer.ckpt_path={kept}", EVERY_EPOCH]
    whole = twotower.run([*overrides, "resume=false"])
    interrupt(overrides, epoch=3)
    with interrupted_in(epoch=99) as trained:
        resumed = twotower.run(overrides)
    assert trained[0] == 5  # epochs 0 to 2 are in the checkpoint, 3 and 4 were trained
    assert same(resumed, whole)


def test_other_data_in_the_same_file_starts_over(
    small: list[str], log_file: Callable[[int], Path], caplog: pytest.LogCaptureFixture
) -> None:
    overrides = [*of_file(small, log_file(0)), EVERY_EPOCH]
    interrupt(overrides, epoch=3)
    log_file(1)
    with caplog.at_level("INFO"):
        found = twotower.run(overrides)
    assert "the data has changed since the interruption: the run starts over" in caplog.text
    assert same(found, twotower.run([*overrides, "resume=false"]))


def test_another_version_of_the_code_starts_over(
    untracked: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = [*untracked, EVERY_EPOCH]
    monkeypatch.setattr(unfinished, "code_version", lambda: "0.0.1")
    interrupt(overrides, epoch=3)
    monkeypatch.setattr(unfinished, "code_version", lambda: "0.0.2")
    with caplog.at_level("INFO"), interrupted_in(epoch=99) as trained:
        twotower.run(overrides)
    assert "twotower has changed since the interruption (0.0.1, now 0.0.2)" in caplog.text
    assert trained[:3] == [0, 1, 2]
