"""Checkpoints: the best epoch, and the state from which an interrupted fit resumes."""

from __future__ import annotations

import time
from pathlib import Path

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint

__all__ = ["LastCheckpoint", "best_checkpoint"]


def best_checkpoint(folder: Path, monitor: str) -> ModelCheckpoint:
    """Return the callback that keeps the weights of the epoch with the highest `monitor`."""
    return ModelCheckpoint(
        folder,
        "best",
        monitor=monitor,
        mode="max",
        save_weights_only=True,
        enable_version_counter=False,
    )


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
