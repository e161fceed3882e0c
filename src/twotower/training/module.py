"""The LightningModule: it steps the model and configures the optimizer, and nothing else."""

from collections.abc import Callable, Iterable

import pytorch_lightning as pl
from torch import Tensor
from torch.optim import Optimizer

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
    ) -> None:
        """`l2` weighs the mean squared norms of the embeddings of each batch."""
        super().__init__()
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.l2 = l2

    def training_step(self, batch: Batch, _: int) -> dict[str, Tensor]:
        """`loss`, what is minimised, and `unpenalised`, the same without the L2 term: scalars."""
        scored = self.model.score(*batch)
        loss = self.loss(scored.scores)
        penalised = loss + self.l2 * scored.mean_squared_norms() if self.l2 else loss
        return {"loss": penalised, "unpenalised": loss.detach()}

    def validation_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of one batch of held-out positives, without the L2 term: a scalar."""
        return self.loss(self.model.score(*batch).scores)

    def configure_optimizers(self) -> Optimizer:
        """The optimizer over all parameters of both towers."""
        return self.optimizer(self.parameters())
