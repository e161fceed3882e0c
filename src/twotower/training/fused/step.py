"""One optimizer step of embedding towers."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Optimizer

from twotower.core.errors import ConfigError
from twotower.loss import Loss, StatesGradient
from twotower.model import TwoTower
from twotower.training.batches import Batch
from twotower.training.fused.optimizer import row_optimizer
from twotower.training.fused.own_negatives import OwnNegatives
from twotower.training.fused.rows import RowFinder
from twotower.training.fused.scores import BatchOfRows
from twotower.training.fused.shared_pool import SharedPool
from twotower.training.fused.table import TowerTable

__all__ = ["FusedStep"]


class FusedStep:
    """Steps a model of two embedding towers on the CPU as autograd and the optimizer would.

    Only the rows of a batch are read and written. The others lag behind a dense optimizer, which
    moves them by their momentum; a row catches up when a batch next uses it, and all rows do in
    `finish_epoch`. Between epochs, weights and optimizer state are those of the dense optimizer.
    """

    def __init__(self, model: TwoTower, loss: Loss, optimizer: Optimizer, l2: float) -> None:
        """Prepare to step `model`, whose state `optimizer` has; see `why_not_fused`."""
        assert isinstance(loss, StatesGradient)
        self._loss = loss
        self._l2 = l2
        towers = (model.user_tower, model.item_tower)
        self._tables = [TowerTable(tower) for tower in towers]  # type: ignore[arg-type]
        self._finders = [RowFinder(len(table.weight)) for table in self._tables]
        self._prior = model.prior
        self._optimizer = row_optimizer(optimizer)
        self._own, self._shared = OwnNegatives(), SharedPool()

    def start_epoch(self, steps: int) -> None:
        """Prepare for at most `steps` steps before `finish_epoch`."""
        self._optimizer.start_epoch(steps)

    def __call__(self, batch: Batch, rate: float) -> tuple[Tensor, Tensor]:
        """Make one step.

        Args:
            batch: The step's input.
            rate: The learning rate.

        Returns:
            The loss without the L2 term, and the number [B] of valid negatives of each positive.
        """
        negatives = batch.negatives
        if negatives.hardest is not None:
            raise ConfigError(
                "trainer.kernel: got fused, which has no hard negatives; must be autograd"
            )
        drawn = negatives.items.contiguous().numpy()
        users = self._finders[0](batch.users.numpy())
        items = self._finders[1](batch.positives.numpy(), drawn)
        optimizer = self._optimizer
        optimizer.catch_up(0, users.rows)
        optimizer.catch_up(1, items.rows)
        embedded = self._tables[0].embed(users), self._tables[1].embed(items)
        scored: BatchOfRows = self._own if drawn.ndim == 2 else self._shared
        scores = scored.score(*embedded, negatives, batch.weights)
        if self._prior is not None:
            scores.positive.add_(self._prior(batch.positives))
            scores.negative.add_(self._prior(negatives.items))  # -inf stays as it is
        loss = self._loss.gradient_(scores)
        scored.backward(scores, self._l2)
        optimizer.start_step(rate)
        for side, rows in enumerate(embedded):
            optimizer.update(side, rows.rows, rows.weight_gradient())
        optimizer.finish_step()
        return loss, scores.counts

    def finish_epoch(self) -> None:
        """Bring all rows to where the dense optimizer would have them."""
        self._optimizer.finish_epoch()
