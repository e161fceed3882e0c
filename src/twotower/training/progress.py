"""Progress of a fit: a bar in a terminal or notebook, a line per epoch in a log."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import pytorch_lightning as pl
from tqdm.auto import tqdm
from tqdm.notebook import tqdm as notebook_tqdm

from twotower.training.callbacks import EpochMetrics

__all__ = ["ProgressBar", "ProgressLines", "can_show_a_bar"]

logger = logging.getLogger(__name__)


def can_show_a_bar() -> bool:
    """Whether what is written to standard error can be drawn over."""
    return sys.stderr.isatty() or issubclass(tqdm, notebook_tqdm)


class ProgressLines(pl.Callback):
    """Logs one line per epoch: its losses, its validation metric and its seconds."""

    def __init__(self, title: str, monitor: str, metrics: EpochMetrics) -> None:
        self._title = title
        self._shown = ("train/loss", "val/loss", monitor)
        self._metrics = metrics
        self._started = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Log the epoch, which `metrics`, a callback before this one, has closed."""
        if not trainer.is_global_zero:
            return
        last = self._metrics.history[-1]
        shown = ", ".join(f"{name} {last[name]:.4f}" for name in self._shown if name in last)
        epoch = f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
        seconds = time.perf_counter() - self._started
        logger.info("%s, epoch %s: %s, %.1f s", self._title, epoch, shown, seconds)


class ProgressBar(pl.Callback):
    """One bar over all batches of all epochs, with the latest metrics beside it."""

    def __init__(self, title: str, monitor: str, metrics: EpochMetrics) -> None:
        self._title = title
        self._shown = ("train/loss", "val/loss", monitor)
        self._metrics = metrics
        self._bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Open the bar."""
        assert trainer.max_epochs is not None
        batches = int(trainer.num_training_batches)
        self._bar = tqdm(
            total=trainer.max_epochs * batches,
            initial=trainer.current_epoch * batches,  # of a fit that goes on
            desc=self._title,
            unit="batch",
            disable=not trainer.is_global_zero,
        )

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the bar."""
        assert self._bar is not None
        self._bar.update()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Show the epoch and the metrics of the one before it."""
        assert self._bar is not None
        self._bar.set_description(
            f"{self._title}, epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", refresh=False
        )
        last = self._metrics.history[-1] if self._metrics.history else {}
        shown = {name: f"{last[name]:.4f}" for name in self._shown if name in last}
        self._bar.set_postfix(shown, refresh=False)

    def on_train_end(self, *_: Any) -> None:
        """Close the bar, full even where training stopped early."""
        if self._bar is not None:
            self._bar.total = self._bar.n
            self._bar.close()

    def on_exception(self, *_: Any) -> None:
        """Close the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
