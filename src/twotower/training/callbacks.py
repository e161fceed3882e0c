"""What watches the training: the metrics of each epoch, and checkpoints."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping
from torch import Tensor

from twotower.core.errors import DataError, TrainingError
from twotower.training.batches import Batch
from twotower.training.module import TwoTowerModule
from twotower.types import Histories, Scorer
from twotower.types.metric_name import MetricName

__all__ = ["EpochMetrics", "LastCheckpoint"]

logger = logging.getLogger(__name__)

_MORE_NEGATIVES = (
    "set a larger trainer.batch_size where negatives are the positives of other rows, a sampler "
    "that draws for itself (negative_sampling=uniform), or exclude_seen=false in "
    "negative_sampling, where users have seen all that is drawn"
)
Validate = Callable[[Scorer], Mapping[str, float]]
OnEpoch = Callable[[int, Mapping[str, float]], None]


class EpochMetrics(pl.Callback):
    """Gathers `train/loss`, `val/loss` and the validation metrics of each epoch.

    `validate` gives the metrics of a scorer on the validation part (`histories` are what its users
    had met); they are logged for
    Lightning's own early stopping and checkpoints. `on_epoch(epoch, metrics)` is called at the end
    of each epoch, counted from 1, on the first process. Means over batches are taken once an
    epoch: Lightning's own `self.log` costs more than a small training step.
    """

    def __init__(self, validate: Validate | None, on_epoch: OnEpoch, histories: Histories) -> None:
        self.history: list[dict[str, float]] = []
        self._seconds_before = 0.0  # of the fits that this one goes on from
        self._started = time.perf_counter()
        self._validate = validate
        self._histories = histories
        self._on_epoch = on_epoch
        self._train_losses: list[Tensor] = []
        self._without_negatives: list[Tensor] = []
        self._positives = 0  # of the epoch
        self._warned = False
        self._val_losses: list[Tensor] = []
        self._metrics: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Wall time of the fit so far, with that of an earlier one that it goes on from."""
        return self._seconds_before + time.perf_counter() - self._started

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"history": self.history, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.history = list(state_dict["history"])
        self._seconds_before = state_dict["seconds"]

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Keep the loss, and how many positives had no negatives."""
        self._train_losses.append(outputs["unpenalised"])
        self._without_negatives.append(outputs["without_negatives"])
        self._positives += len(batch.users)

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Raises TrainingError before a diverged model is ranked."""
        self._close_training(trainer)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Keep the loss."""
        self._val_losses.append(outputs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Rank the validation part."""
        assert isinstance(module, TwoTowerModule)
        assert self._validate is not None
        metrics = {**self._validate(module.model.scorer(self._histories))}
        if self._val_losses:  # empty where every held-out pair is cold
            metrics["loss"] = torch.stack(self._val_losses).mean().item()
            self._val_losses.clear()
        metrics = {str(MetricName.parse(name).on("val")): value for name, value in metrics.items()}
        logged = {
            name: torch.tensor(value, device=module.device) for name, value in metrics.items()
        }
        module.log_dict(logged, sync_dist=True)  # every process ranks all, so all agree
        self._metrics |= metrics

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Close the epoch."""
        self._close_training(trainer)
        epoch = trainer.current_epoch + 1
        if "train/loss" not in self._metrics:
            raise DataError(
                f"epoch {epoch} had no batch: there are fewer train interactions than processes; "
                "set trainer.devices=1"
            )
        self.history.append({"epoch": epoch, **self._metrics})
        if trainer.is_global_zero:
            self._on_epoch(epoch, self._metrics)
        self._metrics = {}

    def _close_training(self, trainer: pl.Trainer) -> None:
        if not self._train_losses:
            return
        mean = trainer.strategy.reduce(torch.stack(self._train_losses).mean(), reduce_op="mean")
        self._train_losses.clear()
        self._check_negatives(trainer)
        loss = float(mean)
        if not torch.isfinite(torch.tensor(loss)):
            raise TrainingError(
                f"the training loss is {loss} in epoch {trainer.current_epoch + 1}: training has "
                "diverged; lower optimizer.lr or tower.init_std"
            )
        self._metrics["train/loss"] = loss

    def _check_negatives(self, trainer: pl.Trainer) -> None:
        """Raises TrainingError where no positive had a negative; warns once where some had none."""
        without = torch.stack(self._without_negatives).sum()
        counts = torch.stack([without, without.new_tensor(self._positives)])
        self._without_negatives.clear()
        self._positives = 0
        lacking, positives = trainer.strategy.reduce(counts, reduce_op="sum").tolist()
        epoch = trainer.current_epoch + 1
        if lacking == positives:
            raise TrainingError(
                f"none of the {positives:,} positives of epoch {epoch} had a negative, so the loss "
                f"has contrasted them with nothing; {_MORE_NEGATIVES}"
            )
        if lacking and not self._warned and trainer.is_global_zero:
            self._warned = True
            logger.warning(
                "%s of the %s positives of epoch %d (%.2g%%) had no negative and train nothing; %s",
                f"{lacking:,}",
                f"{positives:,}",
                epoch,
                100 * lacking / positives,
                _MORE_NEGATIVES,
            )


class LastCheckpoint(Checkpoint):
    """Keeps what an interrupted fit goes on from, replaced at most every `seconds`.

    A Checkpoint, because Lightning calls these last: early stopping has counted the epoch then.

    `stopping`: it is Lightning that stops early, but a fit that goes on from the epoch where it
    did would train one more.
    """

    def __init__(self, path: Path, seconds: float, stopping: EarlyStopping | None) -> None:
        self._path = path
        self._seconds = seconds
        self._stopping = stopping
        self._saved = time.perf_counter()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Stop where the fit had stopped."""
        stopping = self._stopping
        if stopping is not None and stopping.wait_count >= stopping.patience:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Save, once the epoch's metrics are known."""
        due = time.perf_counter() - self._saved >= self._seconds
        if trainer.strategy.broadcast(due):  # every process takes part in saving
            trainer.save_checkpoint(self._path)
            self._saved = time.perf_counter()
