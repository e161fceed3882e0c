"""What is watched during a fit, and the fit as it is read from it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import polars as pl

from twotower.core.errors import TrainingError
from twotower.training.checkpoints import BestWeights
from twotower.training.cost import Costs
from twotower.training.epoch_metrics import EpochMetrics
from twotower.training.fitted import Fitted
from twotower.training.lightning_trainer import is_first_process
from twotower.training.module import TwoTowerModule
from twotower.training.stopping import unfinished_schedule

__all__ = ["Watched"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watched:
    """The callbacks that a fit is read from.

    Attributes:
        monitor: Metric that selects the epoch, such as `val/ndcg_at_10`.
        costs: Seconds and positives.
        metrics: Of each epoch.
        best: The weights of the best epoch; None without validation.
    """

    monitor: str
    costs: Costs
    metrics: EpochMetrics
    best: BestWeights | None

    def fitted(self, module: TwoTowerModule) -> Fitted:
        """Return the fit with the weights of the best epoch, or of the last one.

        Raises:
            TrainingError: If training ended before the first validation.
        """
        epochs, warnings = len(self.metrics.history), self.metrics.warnings
        if self.best is not None:
            if not self.best.epoch:
                raise TrainingError(
                    f"training ended after epoch {epochs}, before the first validation; set a "
                    "smaller trainer.validate_every, or let trainer.callbacks stop later"
                )
            module.load_state_dict(self.best.weights)
            schedule = module.schedule
            warning = schedule and unfinished_schedule(schedule, self.best.epoch)
            if warning:
                warnings.append(warning)
                if is_first_process():
                    logger.warning(warning)
        return Fitted(
            model=module.model.cpu(),
            history=pl.DataFrame(self.metrics.history, infer_schema_length=None),
            best_epoch=epochs if self.best is None else self.best.epoch,
            cost=self.costs.cost,
            warnings=tuple(warnings),
        )
