"""Optimizer steps of embedding towers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from twotower.core.errors import ConfigError
from twotower.loss import Loss, StatesCompiledGradient, StatesGradient
from twotower.model import TwoTower
from twotower.training.batches import Batch
from twotower.training.fused.optimizer import row_optimizer
from twotower.training.fused.own_negatives import OwnNegatives
from twotower.training.fused.own_steps import OwnSteps
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
        self._prior = model.prior
        self._optimizer = row_optimizer(optimizer)
        self._own, self._shared = OwnNegatives(), SharedPool()
        self._steps: OwnSteps | None = None
        if isinstance(loss, StatesCompiledGradient):
            self._steps = OwnSteps(self._tables, self._optimizer, loss, l2, model.prior)

    def start_epoch(self, steps: int) -> None:
        """Prepare for at most `steps` steps before `finish_epoch`."""
        self._optimizer.start_epoch(steps)

    def __call__(self, batches: Batch, size: int, rates: Sequence[float]) -> tuple[Tensor, int]:
        """Step through one batch or more.

        Args:
            batches: Of `size` rows each, the last one perhaps of fewer, as one. More than one of
                them only where each row has negatives of its own.
            size: Rows of a batch.
            rates: The learning rate of each.

        Returns:
            The losses [batches] without the L2 term, and how many positives had no valid negative.
        """
        if batches.negatives.hardest is not None:
            raise ConfigError(
                "trainer.kernel: got fused, which has no hard negatives; must be autograd"
            )
        if self._steps is not None and batches.negatives.items.dim() == 2:
            return self._steps(batches, size, rates)
        done = [
            self._step(batch, rate) for batch, rate in zip(batches.split(size), rates, strict=True)
        ]
        losses, counts = zip(*done, strict=True)
        return torch.stack(losses), sum(len(each) - int(each.count_nonzero()) for each in counts)

    def _step(self, batch: Batch, rate: float) -> tuple[Tensor, Tensor]:
        """Make one step; return its loss, and the number [B] of valid negatives of each row."""
        negatives, optimizer = batch.negatives, self._optimizer
        drawn = negatives.items.contiguous().numpy()
        users = self._tables[0].embed(batch.users.numpy())
        items = self._tables[1].embed(batch.positives.numpy(), drawn)
        for side, rows in enumerate((users, items)):
            optimizer.catch_up(side, rows.rows)
            rows.read(self._tables[side].weight)
        scored: BatchOfRows = self._own if drawn.ndim == 2 else self._shared
        scores = scored.score(users, items, negatives, batch.weights)
        if self._prior is not None:
            scores.positive.add_(self._prior(batch.positives))
            scores.negative.add_(self._prior(negatives.items))  # -inf stays as it is
        loss = self._loss.gradient_(scores)
        scored.backward(scores, self._l2)
        optimizer.start_step(rate)
        for side, rows in enumerate((users, items)):
            optimizer.update(side, rows.rows, rows.weight_gradient())
        optimizer.finish_step()
        return loss, scores.counts

    def finish_epoch(self) -> None:
        """Bring all rows to where the dense optimizer would have them."""
        self._optimizer.finish_epoch()
