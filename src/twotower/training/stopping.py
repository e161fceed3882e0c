"""When training ends: early stopping in steps, and what the end says about the settings."""

from __future__ import annotations

import math
from collections.abc import Iterator

import polars as pl
import pytorch_lightning as lightning
from pytorch_lightning.callbacks import EarlyStopping

from twotower.training.fitted import Fitted

__all__ = ["Patience", "training_notes"]

# A best epoch in this last share of all epochs means that training ended while it was improving.
_LATE = 0.1


class Patience(EarlyStopping):
    """Stops after `validations` in a row without a better metric that took at least `steps`.

    An epoch of a small log is a few optimizer steps, too few for a model to improve in. Steps, like
    Lightning's own patience, are counted in validations, so that a checkpoint holds the count.
    """

    def __init__(self, monitor: str, validations: int, steps: int) -> None:
        super().__init__(monitor, mode="max", patience=validations)
        self._steps = steps

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Turn steps into validations, now that the length of an epoch is known."""
        steps_per_epoch = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
        between = max(1, steps_per_epoch) * (trainer.check_val_every_n_epoch or 1)
        self.patience = max(self.patience, math.ceil(self._steps / between))


def training_notes(fitted: Fitted, monitor: str, max_epochs: int, decay: float) -> Iterator[str]:
    """What is suspicious about the best epoch of a fit with validation, a sentence each.

    monitor: the metric that chose it, such as `val/ndcg_at_10`. With a `decay` the last epochs,
    those of the smallest steps, are meant to be the best.
    """
    epochs, best = fitted.history.height, fitted.best_epoch
    if epochs == max_epochs and not decay and best > (1 - _LATE) * epochs:
        yield (
            f"epoch {best} of {epochs} is the best by {monitor}: training ended while it was "
            "still improving; raise trainer.max_epochs"
        )
        return
    validated = fitted.history.filter(pl.col(monitor).is_not_null())["epoch"]
    if best == validated[0] and len(validated) > 1:
        yield (
            f"epoch {best}, the first that was validated, is the best of {epochs} by {monitor}: "
            "further training did not help; change optimizer.lr or trainer.l2, or raise "
            "trainer.patience_steps"
        )
