"""The callback that gathers the metrics of each epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from twotower.core.errors import DataError, TrainingError
from twotower.training.module import TwoTowerModule
from twotower.training.positives_without_negatives import PositivesWithoutNegatives
from twotower.types import Histories, Scorer
from twotower.types.metric_name import MetricName

__all__ = ["EpochMetrics", "OnEpoch", "Validate"]

Validate = Callable[[Scorer], Mapping[str, float]]
OnEpoch = Callable[[int, Mapping[str, float]], None]


class EpochMetrics(Callback):
    """Gathers `train/loss`, `val/loss` and the validation metrics of each epoch.

    Validation metrics are also logged to Lightning, for its early stopping and checkpoints. Means
    over batches are taken once per epoch: `self.log` costs more than a small training step.

    Attributes:
        history: One dict per epoch: `epoch` (from 1) and its metrics.
    """

    def __init__(
        self,
        validate: Validate | None,
        on_epoch: OnEpoch,
        histories: Histories,
        *,
        records_rate: bool = False,
        callbacks_read: bool = True,
    ) -> None:
        """Prepare for one fit.

        Args:
            validate: Returns the metrics of a scorer on the validation part; None for no
                validation.
            on_epoch: Called as on_epoch(epoch, metrics) at the end of each epoch, counted from 1,
                in the first process.
            histories: [n_users] histories of the validation users.
            records_rate: Whether `train/lr`, the learning rate at the start of each epoch, is one
                of the metrics.
            callbacks_read: Whether there are callbacks that may read the training loss.
        """
        self._callbacks_read = callbacks_read
        self.history: list[dict[str, float]] = []
        self._validate = validate
        self._histories = histories
        self._on_epoch = on_epoch
        self._records_rate = records_rate
        self._train_losses: list[Tensor] = []
        self._without_negatives = PositivesWithoutNegatives()
        self._val_losses: list[Tensor] = []
        self._metrics: dict[str, float] = {}

    @property
    def warnings(self) -> list[str]:
        """Warnings of the fit so far, one sentence each."""
        warning = self._without_negatives.warning
        return [] if warning is None else [warning]

    @property
    def latest(self) -> Mapping[str, float]:
        """The metrics of the current epoch so far."""
        return self._metrics

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {
            "history": self.history,
            "warning": self._without_negatives.warning,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.history = list(state_dict["history"])
        self._without_negatives.warning = state_dict.get("warning")

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Log the epochs of the fit that this one resumes, whose log is overwritten."""
        for row in self.history:
            _log_epoch(trainer, row)

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Record the learning rate."""
        if self._records_rate:
            self._metrics["train/lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Keep the losses and the number of positives without negatives."""
        if not len(outputs["unpenalised"]):
            return
        self._train_losses.append(outputs["unpenalised"])
        self._without_negatives.count(outputs["positives"], outputs["without_negatives"])

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Check the training loss before a diverged model is ranked."""
        self._close_training(trainer)

    def on_validation_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Keep the loss."""
        self._val_losses.append(outputs)

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Rank the validation part."""
        assert isinstance(module, TwoTowerModule)
        assert self._validate is not None
        metrics = {**self._validate(module.model.scorer(self._histories))}
        if self._val_losses:  # empty where every held-out pair is cold
            metrics["loss"] = torch.stack(self._val_losses).mean().item()
            self._val_losses.clear()
        metrics = {str(MetricName.parse(name).on("val")): value for name, value in metrics.items()}
        _log_for_callbacks(module, metrics)
        self._metrics |= metrics

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Close the epoch.

        Raises:
            DataError: If the epoch had no batch.
        """
        self._close_training(trainer)
        epoch = trainer.current_epoch + 1
        if "train/loss" not in self._metrics:
            raise DataError(
                f"epoch {epoch} had no batch: there are fewer train interactions than processes; "
                "set trainer.devices=1"
            )
        self.history.append({"epoch": epoch, **self._metrics})
        if self._callbacks_read:
            _log_for_callbacks(module, {"train/loss": self._metrics["train/loss"]})
        _log_epoch(trainer, self.history[-1])
        if trainer.is_global_zero:
            self._on_epoch(epoch, self._metrics)
        self._metrics = {}

    def _close_training(self, trainer: Trainer) -> None:
        """Average the losses of the epoch's batches; raise TrainingError if they diverged."""
        if not self._train_losses:
            return
        mean = trainer.strategy.reduce(torch.cat(self._train_losses).mean(), reduce_op="mean")
        self._train_losses.clear()
        self._without_negatives.close_epoch(trainer)
        loss = float(mean)
        if not torch.isfinite(torch.tensor(loss)):
            raise TrainingError(
                f"the training loss is {loss} in epoch {trainer.current_epoch + 1}: training has "
                "diverged; lower optimizer.lr or tower.init_std"
            )
        self._metrics["train/loss"] = loss


def _log_epoch(trainer: Trainer, row: Mapping[str, float]) -> None:
    """Log an epoch to Lightning's loggers, with its number as the step."""
    for logger in trainer.loggers:
        values = {name: value for name, value in row.items() if name != "epoch"}
        logger.log_metrics(values, step=int(row["epoch"]))


def _log_for_callbacks(module: LightningModule, metrics: Mapping[str, float]) -> None:
    """Make metrics known to Lightning's callbacks, such as early stopping."""
    tensors = {name: torch.tensor(value, device=module.device) for name, value in metrics.items()}
    # Loggers get one row per epoch. Every process ranks all, so all agree.
    module.log_dict(tensors, logger=False, sync_dist=True)
