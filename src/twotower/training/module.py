"""The LightningModule: it steps the model and configures the optimizer, and nothing else."""

from collections.abc import Callable, Iterable

import pytorch_lightning as pl
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from twotower.loss import Loss
from twotower.model import TwoTower
from twotower.training.batches import Batch

__all__ = ["TwoTowerModule"]


class TwoTowerModule(pl.LightningModule):
    """Wraps a TwoTower for Lightning's Trainer."""

    def __init__(
        self,
        model: TwoTower,
        loss: Loss,
        optimizer: Callable[[Iterable[Tensor]], Optimizer],
        l2: float,
        decay: float,
    ) -> None:
        """`l2` weighs the mean squared norms of the embeddings of each batch; over the last share
        `decay` of all steps the step size falls to 0."""
        super().__init__()
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.l2 = l2
        self.decay = decay

    def training_step(self, batch: Batch, _: int) -> dict[str, Tensor]:
        """`loss`, what is minimised, and `unpenalised`, the same without the L2 term: scalars."""
        scored = self.model.score(*batch)
        loss = self.loss(scored.scores)
        penalised = loss + self.l2 * scored.mean_squared_norms() if self.l2 else loss
        return {"loss": penalised, "unpenalised": loss.detach()}

    def validation_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch of held-out positives, without the L2 term: a scalar."""
        return self.loss(self.model.score(*batch).scores)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer over all parameters of both towers, and its step sizes."""
        optimizer = self.optimizer(self.parameters())
        if not self.decay:
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        falling = max(1, round(self.decay * steps))
        schedule = LambdaLR(optimizer, lambda step: min(1.0, max(0, steps - step) / falling))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
