"""The contracts of optimizers and of schedules of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from twotower.testing.expect import expect
from twotower.training.scheduler import Schedule

__all__ = ["check_optimizer", "check_schedule"]


def check_optimizer(make: Callable[[Iterable[Tensor]], Optimizer]) -> None:
    """Check that an optimizer minimises: the squared length of a vector falls in 5 steps.

    Args:
        make: Makes the optimizer from parameters, such as `functools.partial(Adam, lr=0.01)`.

    Raises:
        AssertionError: It does not fall.

    >>> from functools import partial
    >>> check_optimizer(partial(torch.optim.Adam, lr=0.01))
    """
    weights = nn.Parameter(torch.tensor([2.0, -1.0]))
    optimizer = make([weights])
    before = weights.square().sum().item()
    for _ in range(5):
        gradient = 2 * weights.detach()
        sparse = isinstance(optimizer, torch.optim.SparseAdam)  # which takes no others
        weights.grad = gradient.to_sparse() if sparse else gradient
        optimizer.step()
    after = weights.square().sum().item()
    expect(after < before, f"step: the objective must fall, from {before:g} it came to {after:g}")


def check_schedule(schedule: Schedule) -> None:
    """Check that a schedule has a finite share of the learning rate at any point of its epochs.

    Raises:
        AssertionError: The schedule breaks the contract `Schedule`.

    >>> from twotower.training.scheduler.cosine import Cosine
    >>> check_schedule(Cosine(epochs=10, warmup=0.2, final=0.0))
    """
    expect(schedule.epochs >= 1, f"epochs: must be 1 or more, got {schedule.epochs}")
    for step in range(101):
        epoch = schedule.epochs * step / 100
        share = schedule.factor(epoch)
        right = math.isfinite(share) and share >= 0
        expect(right, f"factor: must be finite and 0 or more, got {share} after {epoch:g} epochs")
