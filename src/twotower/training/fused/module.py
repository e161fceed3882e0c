"""The LightningModule of the fused kernel: several optimizer steps per training step."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor

from twotower.loss import needs_negatives
from twotower.training.batches import Chunk, Chunks
from twotower.training.fused.step import FusedStep
from twotower.training.module import TwoTowerModule

__all__ = ["FusedModule"]


class FusedModule(TwoTowerModule):
    """Trains on chunks of batches, each batch by one step of the fused kernel.

    Lightning's own work for a training step takes longer than a step of a small model: it is shared
    by the batches of a chunk, whose number does not change any result.
    """

    automatic_optimization = False
    _step: FusedStep | None = None

    @property
    def batches_per_epoch(self) -> int:
        """See TwoTowerModule."""
        chunks = self.trainer.train_dataloader
        assert isinstance(chunks, Chunks)
        return min(len(chunks.batches), int(self.trainer.num_training_batches) * chunks.size)

    @property
    def steps_per_epoch(self) -> int:
        """See TwoTowerModule."""
        return self.batches_per_epoch

    def on_train_epoch_start(self) -> None:
        """Prepare the kernel, now that a resumed optimizer has its state."""
        if self._step is None:
            (optimizer,) = self.trainer.optimizers
            self._step = FusedStep(self.model, self.loss, optimizer, self.l2)
        self._step.start_epoch(self.steps_per_epoch)

    @torch.no_grad()
    def training_step(self, chunk: Chunk, _: int) -> dict[str, Any]:  # type: ignore[override]
        """Step once for each batch of a chunk; see TwoTowerModule for what is returned."""
        assert self._step is not None
        losses: list[Tensor] = []
        steps = positives = without = 0
        for batch in chunk.batches:
            count = -(-len(batch.users) // chunk.batch_size)
            rates = [self._rate(steps + k) for k in range(count)]
            lost, alone = self._step(batch, chunk.batch_size, rates)
            losses.append(lost)
            steps += count
            positives += len(batch.users)
            without += alone
        self._count(steps)
        if chunk.ends_epoch or self.trainer.is_last_batch:
            self._step.finish_epoch()
        return {
            "unpenalised": torch.cat(losses) if losses else torch.empty(0),
            "positives": positives,
            "without_negatives": torch.tensor(without if needs_negatives(self.loss) else 0),
        }

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return the optimizer, which holds the kernel's settings and state."""
        return self.optimizer(self.parameters())

    def _rate(self, steps: int) -> float:
        """Return the learning rate after `steps` more steps than Lightning has counted."""
        (group,) = self.trainer.optimizers[0].param_groups
        if self.schedule is None:
            return float(group["lr"])
        base = group.setdefault("initial_lr", group["lr"])
        return float(base * self.schedule.factor((self.global_step + steps) / self.steps_per_epoch))

    def _count(self, steps: int) -> None:
        """Count `steps` optimizer steps, and set the learning rate of the next one."""
        (optimizer,) = self.trainer.optimizers
        optimizer.step()  # without gradients: changes nothing, but torch's schedulers wait for it
        rate = self._rate(steps)
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for _ in range(steps):
            progress.increment_ready()
            progress.increment_completed()
        optimizer.param_groups[0]["lr"] = rate
