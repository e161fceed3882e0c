"""Progress of a fit: a bar in a terminal or notebook, a line per epoch in a log."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from tqdm.auto import tqdm
from tqdm.notebook import tqdm as notebook_tqdm

from twotower.core.numbers import score
from twotower.training.epoch_metrics import EpochMetrics
from twotower.training.module import TwoTowerModule

__all__ = ["ProgressBar", "ProgressLines", "progress_callback"]

logger = logging.getLogger(__name__)


def progress_callback(title: str, monitor: str, metrics: EpochMetrics) -> Callback:
    """Return a bar where standard error can be redrawn (terminal, notebook), else log lines."""
    can_redraw = sys.stderr.isatty() or issubclass(tqdm, notebook_tqdm)
    return (ProgressBar if can_redraw else ProgressLines)(title, monitor, metrics)


def _shown(metrics: EpochMetrics, names: tuple[str, ...]) -> dict[str, str]:
    """Return the metrics `names` of the last finished epoch, formatted."""
    last = metrics.history[-1] if metrics.history else {}
    return {name: score(last[name]) for name in names if name in last}


class ProgressLines(Callback):
    """Logs one line per epoch: losses, validation metric and seconds."""

    def __init__(self, title: str, monitor: str, metrics: EpochMetrics) -> None:
        self._title = title
        self._shown = ("train/loss", "val/loss", monitor)
        self._metrics = metrics
        self._started = 0.0

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Log the epoch, which `metrics`, an earlier callback, has closed."""
        if not trainer.is_global_zero:
            return
        values = _shown(self._metrics, self._shown).items()
        shown = ", ".join(f"{name} {value}" for name, value in values)
        epoch = f"{trainer.current_epoch + 1}/{trainer.max_epochs}"
        seconds = time.perf_counter() - self._started
        logger.info("%s, epoch %s: %s, %.1f s", self._title, epoch, shown, seconds)


class ProgressBar(Callback):
    """One bar over all batches of all epochs, with the latest metrics."""

    def __init__(self, title: str, monitor: str, metrics: EpochMetrics) -> None:
        self._title = title
        self._shown = ("train/loss", "val/loss", monitor)
        self._metrics = metrics
        self._bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Open the bar."""
        assert trainer.max_epochs is not None
        assert isinstance(module, TwoTowerModule)
        batches = module.batches_per_epoch
        self._bar = tqdm(
            total=trainer.max_epochs * batches,
            initial=trainer.current_epoch * batches,  # of a resumed fit
            desc=self._title,
            unit="batch",
            disable=not trainer.is_global_zero,
        )

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Move the bar."""
        assert self._bar is not None
        self._bar.update(len(outputs["unpenalised"]))

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Show the epoch and the metrics of the one before it."""
        assert self._bar is not None
        self._bar.set_description(
            f"{self._title}, epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", refresh=False
        )
        self._bar.set_postfix(_shown(self._metrics, self._shown), refresh=False)

    def on_train_end(self, *_: Any) -> None:
        """Close the bar, full even where training stopped early."""
        if self._bar is not None:
            self._bar.total = self._bar.n
            self._bar.close()

    def on_exception(self, *_: Any) -> None:
        """Close the bar where it is."""
        if self._bar is not None:
            self._bar.close()
