"""Learning rates that change between epochs: torch's schedulers, and those of an earlier fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from twotower.training.epoch_metrics import EpochMetrics

__all__ = ["EpochScheduler", "RecordedRates"]


class EpochScheduler(Callback):
    """Steps one of torch's schedulers at the end of each epoch.

    Lightning does so by itself only where it also steps the optimizer.
    """

    def __init__(
        self, scheduler: Callable[[Optimizer], LRScheduler], monitor: str, metrics: EpochMetrics
    ) -> None:
        """Prepare for one fit.

        Args:
            scheduler: Makes the scheduler, given the optimizer.
            monitor: Metric of the validated epochs by which `ReduceLROnPlateau` steps.
            metrics: Holds it; an earlier callback of the fit.
        """
        self._make = scheduler
        self._monitor = monitor
        self._metrics = metrics
        self._state: Mapping[str, Any] | None = None
        self._scheduler: LRScheduler | None = None

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Make the scheduler, or resume it, for the optimizer, which is restored by now."""
        (optimizer,) = trainer.optimizers
        self._scheduler = scheduler = self._make(optimizer)
        if self._state is None:
            return
        scheduler.load_state_dict(dict(self._state))
        for group, rate in zip(optimizer.param_groups, scheduler.get_last_lr(), strict=True):
            group["lr"] = rate  # of which making the scheduler has made a first step

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Set the learning rate of the next epoch."""
        scheduler, last = self._scheduler, self._metrics.history[-1]
        assert scheduler is not None
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()
        elif self._monitor in last:
            scheduler.step(last[self._monitor])

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint stores: the scheduler's own state."""
        return {} if self._scheduler is None else self._scheduler.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a checkpoint."""
        self._state = state_dict


class RecordedRates(Callback):
    """Sets the learning rate of each epoch to the one that an earlier fit had in it."""

    def __init__(self, rates: Sequence[float]) -> None:
        """Take `rates`, one per epoch."""
        self._rates = rates

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Set the learning rate."""
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._rates[trainer.current_epoch]
