"""The best weights of a fit, and the state from which an interrupted fit resumes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping
from torch import Tensor

from twotower.training.epoch_metrics import EpochMetrics

__all__ = ["BestWeights", "LastCheckpoint"]


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
                name: each.detach().to("cpu", copy=True)
                for name, each in module.state_dict().items()
            }

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

    def __init__(self, path: Path, seconds: float, stopping: EarlyStopping | None) -> None:
        """Save to `path`.

        Args:
            path: File that is replaced each time.
            seconds: Least time between two saves.
            stopping: The early stopping of the fit. Lightning stops by it, but a fit resumed from
                the epoch in which it stopped would train one more.
        """
        self._path = path
        self._seconds = seconds
        self._stopping = stopping
        self._saved = time.perf_counter()

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop at once if the resumed fit had already stopped."""
        stopping = self._stopping
        if stopping is not None and stopping.wait_count >= stopping.patience:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Save, once the epoch's metrics are known."""
        due = time.perf_counter() - self._saved >= self._seconds
        if trainer.strategy.broadcast(due):  # every process takes part in saving
            trainer.save_checkpoint(self._path)
            self._saved = time.perf_counter()
