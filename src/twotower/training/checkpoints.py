"""Checkpoints: the best weights of a fit, and the states from which a fit resumes or continues."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from twotower.core.errors import ConfigError, ErrorEntry
from twotower.training.epoch_metrics import EpochMetrics

__all__ = ["BestWeights", "Keep", "KeptCheckpoints", "LastCheckpoint", "record_of"]

Keep = Literal["none", "best", "last", "both"]

_RECORD = "twotower"  # key of a checkpoint


class BestWeights(Callback):
    """Keeps the weights of the validated epoch with the highest metric.

    They are those that were validated, also where a later callback puts others in their place, such
    as an average over steps. A checkpoint holds them: it needs no other file to resume from.

    Attributes:
        epoch: The best epoch so far, counted from 1; 0 before the first validation.
        weights: Its weights, on the CPU.
    """

    def __init__(self, monitor: str, metrics: EpochMetrics) -> None:
        """Watch `monitor`, such as `val/ndcg_at_10`; `metrics`, an earlier callback, holds it."""
        self.epoch = 0
        self.weights: Mapping[str, Tensor] = {}
        self._value = torch.tensor(-math.inf)  # float32, by which Lightning stops early
        self._monitor = monitor
        self._metrics = metrics

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Keep the weights if they are the best so far."""
        value = torch.tensor(self._metrics.latest[self._monitor])
        if value > self._value or not self.epoch:
            self.epoch = trainer.current_epoch + 1
            self._value = value.nan_to_num(nan=-math.inf)
            self.weights = {
                name: self._kept(name, each.detach()) for name, each in module.state_dict().items()
            }

    def _kept(self, name: str, weight: Tensor) -> Tensor:
        """Return a copy on the CPU, in the place of that of an earlier epoch if there is one."""
        if name not in self.weights:
            return weight.to("cpu", copy=True)
        return self.weights[name].copy_(weight)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"epoch": self.epoch, "value": self._value, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.epoch = state_dict["epoch"]
        self._value = state_dict["value"].cpu()
        self.weights = {name: each.cpu() for name, each in state_dict["weights"].items()}


class LastCheckpoint(Checkpoint):
    """Saves the state of a fit at most every `seconds`, so that it can be resumed.

    It derives from Checkpoint because Lightning calls these last: early stopping has counted the
    epoch by then.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        """Save to `path`.

        Args:
            path: File that is replaced each time.
            seconds: Least time between two saves.
        """
        self._path = path
        self._seconds = seconds
        self._saved = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Save, once the epoch's metrics are known."""
        due = time.perf_counter() - self._saved >= self._seconds
        if trainer.strategy.broadcast(due):  # every process takes part in saving
            trainer.save_checkpoint(self._path)
            self._saved = time.perf_counter()


class KeptCheckpoints(Checkpoint):
    """Keeps `best.ckpt` and `last.ckpt` of a fit, from which another run can continue.

    The last one is saved when training ends and, for a run that is interrupted, at most every
    `seconds` before.
    """

    def __init__(
        self,
        folder: Path,
        keep: Keep,
        seconds: float,
        record: Mapping[str, Any],
        best: BestWeights | None,
    ) -> None:
        """Prepare for one fit.

        Args:
            folder: Where the files are saved.
            keep: Which of them.
            seconds: Least time between two saves of the last one before training ends.
            record: What the fit depends on, in plain containers, which the files hold.
            best: What chooses the best epoch; None without validation.
        """
        self._best = folder / "best.ckpt" if keep in ("best", "both") else None
        self._last = folder / "last.ckpt" if keep in ("last", "both") else None
        self._seconds = seconds
        self._record = record
        self._weights = best
        self._saved = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Save what the epoch has changed."""
        epoch, weights = trainer.current_epoch + 1, self._weights
        if self._best is not None and weights is not None and weights.epoch == epoch:
            trainer.save_checkpoint(self._best)
        ends = trainer.should_stop or epoch == trainer.max_epochs
        due = ends or time.perf_counter() - self._saved >= self._seconds
        if self._last is not None and trainer.strategy.broadcast(due):
            trainer.save_checkpoint(self._last)
            self._saved = time.perf_counter()

    def on_save_checkpoint(
        self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the record, and the number of epochs."""
        checkpoint[_RECORD] = {**self._record, "epochs": trainer.current_epoch + 1}


def record_of(path: Path) -> Mapping[str, Any]:
    """Return the record of a kept checkpoint, with its number of epochs as `epochs`.

    Raises:
        ConfigError: If there is no such file, or it is no kept checkpoint.
    """
    wanted = "must be a file that a run saved with trainer.keep_checkpoint"
    try:
        content = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
        record: Mapping[str, Any] = content[_RECORD]
    except FileNotFoundError:
        wrong = "which does not exist"
        raise ConfigError(ErrorEntry("trainer.ckpt_path", str(path), wrong, wanted)) from None
    except Exception as error:  # of any class, where the file holds something else
        wrong = "which cannot be read"
        raise ConfigError(ErrorEntry("trainer.ckpt_path", str(path), wrong, wanted)) from error
    return record
