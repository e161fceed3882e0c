"""The LightningModule: it steps the model and configures the optimizer, and nothing else."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from twotower.loss import Loss, needs_negatives
from twotower.model import TwoTower
from twotower.training.batches import Batch

__all__ = ["Schedule", "TwoTowerModule"]


@dataclass(frozen=True)
class Schedule:
    """The step size over `epochs`: constant, then over their last share `decay` in a line to 0.

    It is laid out over epochs, not over the steps of a fit, so that a fit which ends earlier or has
    more interactions (the refit) has the same step sizes in each epoch as one that trains them all.
    """

    epochs: int
    decay: float

    def factor(self, epoch: float) -> float:
        """Of the step size when so many epochs (or parts of one) have been trained."""
        if not self.decay:
            return 1.0
        return min(1.0, max(0.0, self.epochs - epoch) / (self.decay * self.epochs))


class TwoTowerModule(pl.LightningModule):
    """Wraps a TwoTower for Lightning's Trainer."""

    def __init__(
        self,
        model: TwoTower,
        loss: Loss,
        optimizer: Callable[[Iterable[Tensor]], Optimizer],
        l2: float,
        schedule: Schedule,
    ) -> None:
        """`l2` weighs the mean squared norms of the embeddings of each batch."""
        super().__init__()
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.l2 = l2
        self.schedule = schedule

    def training_step(self, batch: Batch, _: int) -> dict[str, Tensor]:
        """Scalars: `loss`, what is minimised, `unpenalised`, the same without the L2 term, and
        `without_negatives`, the number of positives that had none, where the loss needs some."""
        scored = self.model.score(*batch)
        loss = self.loss(scored.scores)
        penalised = loss + self.l2 * scored.mean_squared_norms() if self.l2 else loss
        without = loss.new_zeros((), dtype=torch.int64)
        if needs_negatives(self.loss) and scored.scores.valid is not None:
            without = (~scored.scores.valid.any(1)).sum()
        return {"loss": penalised, "unpenalised": loss.detach(), "without_negatives": without}

    def validation_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch of held-out positives, without the L2 term: a scalar."""
        return self.loss(self.model.score(*batch).scores)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer over all parameters of both towers, and its step sizes."""
        optimizer = self.optimizer(self.parameters())
        if not self.schedule.decay:
            return optimizer
        assert self.trainer.max_epochs is not None
        per_epoch = int(self.trainer.estimated_stepping_batches) // self.trainer.max_epochs
        steps = LambdaLR(optimizer, lambda step: self.schedule.factor(step / per_epoch))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": steps, "interval": "step"}}
