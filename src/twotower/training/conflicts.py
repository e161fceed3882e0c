"""Settings of a trainer that do not fit what it minimises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from twotower.core.errors import ErrorEntry
from twotower.loss import needs_negatives
from twotower.negative_sampling import needs_other_rows
from twotower.training.objective import Objective
from twotower.training.scheduler import Schedule

__all__ = ["conflicts"]


def conflicts(
    objective: Objective,
    *,
    batch_size: int,
    precision: str,
    scheduler: Schedule | Callable[..., LRScheduler],
    arguments: Mapping[str, Any],
) -> Iterator[ErrorEntry]:
    """Yield why no positive would have a negative, or a step would fail.

    Args:
        objective: What is minimised.
        batch_size: Positives per batch.
        precision: One of Lightning's names.
        scheduler: The learning rate over the epochs.
        arguments: Further arguments of Lightning's Trainer.
    """
    optimizer = objective.optimizer([nn.Parameter(torch.zeros(1))])
    fused = getattr(optimizer, "_step_supports_amp_scaling", False)
    if fused and arguments.get("gradient_clip_val") and precision.endswith("-mixed"):
        yield ErrorEntry(
            "trainer.lightning.gradient_clip_val",
            problem=f"with trainer.precision={precision} a fused optimizer clips no gradients",
            valid="set optimizer.fused=false",
        )
    if batch_size == 1 and needs_negatives(objective.loss) and needs_other_rows(objective.sampler):
        yield ErrorEntry(
            "trainer.batch_size",
            batch_size,
            "but the negatives of negative_sampling are the positives of the other rows of a "
            "batch, and there would be none",
            "must be 2 or more, or negative_sampling one that draws its own, such as uniform",
        )
    if not isinstance(scheduler, Schedule):
        yield from _scheduler_errors(scheduler, optimizer)


def _scheduler_errors(
    scheduler: Callable[..., LRScheduler], optimizer: Optimizer
) -> Iterator[ErrorEntry]:
    try:
        made = scheduler(optimizer)
    except (ValueError, TypeError) as error:
        yield ErrorEntry("trainer.scheduler", problem=str(error))
        return
    if isinstance(made, ReduceLROnPlateau) and made.mode != "max":
        wrong = "but a higher evaluation.monitor is better"
        yield ErrorEntry("trainer.scheduler.mode", made.mode, wrong, "must be max")
