"""What training minimises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor
from torch.optim import Optimizer

from twotower.loss import Loss
from twotower.negative_sampling import NegativeSampler

__all__ = ["Objective"]


@dataclass(frozen=True)
class Objective:
    """What is minimised, and how: the same for every fit of a run.

    Attributes:
        sampler: Makes the negative sampler, given `train` and `device`.
        loss: Maps the scores of a batch to a scalar.
        optimizer: Makes the optimizer, given the parameters.
    """

    sampler: Callable[..., NegativeSampler]
    loss: Loss
    optimizer: Callable[[Iterable[Tensor]], Optimizer]
