"""The LightningModule: it steps the model and configures the optimizer, nothing else."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from twotower.loss import Loss, needs_negatives
from twotower.model import TwoTower
from twotower.training.batches import Batch
from twotower.training.scheduler import Schedule

__all__ = ["TwoTowerModule"]


class TwoTowerModule(LightningModule):
    """Wraps a TwoTower for Lightning's Trainer."""

    def __init__(
        self,
        model: TwoTower,
        loss: Loss,
        optimizer: Callable[[Iterable[Tensor]], Optimizer],
        l2: float,
        schedule: Schedule | None,
    ) -> None:
        """Wrap `model`.

        Args:
            model: The two towers.
            loss: Maps the scores of a batch to a scalar.
            optimizer: Makes the optimizer, given the parameters.
            l2: Weight of the mean squared norms of each batch's embeddings.
            schedule: Learning rate over the epochs; None where no step changes it.
        """
        super().__init__()
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.l2 = l2
        self.schedule = schedule

    @property
    def batches_per_epoch(self) -> int:
        """Training batches of an epoch, in this process."""
        return int(self.trainer.num_training_batches)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        assert self.trainer.max_epochs is not None
        return int(self.trainer.estimated_stepping_batches) // self.trainer.max_epochs

    def training_step(self, batch: Batch, _: int) -> dict[str, Any]:
        """Return the loss of one batch, and what is recorded of it.

        Returns:
            `loss`, which is minimised; `unpenalised`, [1], the same without the L2 term;
            `positives`, how many there were; and `without_negatives`, how many of them had none
            (0 if the loss needs none).
        """
        scored = self.model.score(*batch)
        loss = self.loss(scored.scores)
        penalised = loss + self.l2 * scored.mean_squared_norms() if self.l2 else loss
        without = loss.new_zeros((), dtype=torch.int64)
        if needs_negatives(self.loss) and scored.scores.valid is not None:
            without = (~scored.scores.valid.any(1)).sum()
        return {
            "loss": penalised,
            "unpenalised": loss.detach()[None],
            "positives": len(batch.users),
            "without_negatives": without,
        }

    def validation_step(self, batch: Batch, _: int) -> Tensor:
        """Return the loss of one batch of held-out positives, without the L2 term: a scalar."""
        return self.loss(self.model.score(*batch).scores)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer over all parameters of both towers, and its schedule."""
        optimizer = self.optimizer(self.parameters())
        schedule = self.schedule
        if schedule is None:
            return optimizer
        per_epoch = self.steps_per_epoch
        steps = LambdaLR(optimizer, lambda step: schedule.factor(step / per_epoch))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": steps, "interval": "step"}}
