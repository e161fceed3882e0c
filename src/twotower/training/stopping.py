"""When training ends: early stopping in steps, and warnings about the best epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytorch_lightning as lightning
from pytorch_lightning.callbacks import EarlyStopping

from twotower.training.fitted import Fitted
from twotower.training.module import TwoTowerModule
from twotower.training.scheduler import Schedule

__all__ = ["Patience", "training_notes", "unfinished_schedule"]

# A best epoch in this last share of all epochs means that training ended while it was improving.
_LATE = 0.1


class Patience(EarlyStopping):
    """Stops after `validations` in a row, of at least `steps` optimizer steps, without a new best.

    An epoch of a small log has too few optimizer steps for a model to improve in. Steps, like
    Lightning's own patience, are counted in validations, so that a checkpoint stores the count.
    """

    def __init__(self, monitor: str, validations: int, steps: int) -> None:
        super().__init__(monitor, mode="max", patience=validations)
        self._steps = steps

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Convert steps to validations, now that the length of an epoch is known."""
        assert isinstance(module, TwoTowerModule)
        between = max(1, module.steps_per_epoch) * (trainer.check_val_every_n_epoch or 1)
        self.patience = max(self.patience, math.ceil(self._steps / between))
        if self.wait_count >= self.patience:  # a fit that is resumed after it had stopped
            trainer.should_stop = True

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a checkpoint, with the patience of this run."""
        super().load_state_dict({**state_dict, "patience": self.patience})


def unfinished_schedule(schedule: Schedule, best_epoch: int) -> str | None:
    """Return a warning if the best epoch, and so the refit, ends before the schedule does."""
    factor, last = schedule.factor(best_epoch), schedule.factor(schedule.epochs)
    if factor <= last:
        return None
    return (
        f"trainer.scheduler: the best epoch is {best_epoch} of {schedule.epochs}, where the "
        f"learning rate is still {factor:.2g} of optimizer.lr; a refit stops there too. To train "
        f"until it is {last:.2g}, set trainer.max_epochs={best_epoch} trainer.patience=null, or "
        f"validate only the last epoch with trainer.validate_every={schedule.epochs}"
    )


def training_notes(fitted: Fitted, monitor: str, max_epochs: int, falls: bool) -> Iterator[str]:
    """Yield the warnings of a fit with validation, a sentence each, about its best epoch too.

    Args:
        fitted: The fit.
        monitor: Metric that selected the epoch, such as `val/ndcg_at_10`.
        max_epochs: Epochs that could have been trained.
        falls: Whether the learning rate is lowest in the last of them, so that these are meant to
            be the best.
    """
    yield from fitted.warnings
    epochs, best = fitted.history.height, fitted.best_epoch
    if epochs == max_epochs and not falls and best > (1 - _LATE) * epochs:
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
