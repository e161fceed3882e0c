"""One pool of negatives per batch, by the square root of popularity."""

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor

from twotower.core.component import component
from twotower.negative_sampling import NegativeSampler
from twotower.types import Negatives, TrainInteractions


@component
class RootPopularity(NegativeSampler):
    """Draw a pool with replacement, each item by the square root of its train count."""

    def __init__(
        self, num_negatives: PositiveInt, *, train: TrainInteractions, device: torch.device
    ) -> None:
        weights = train.item_counts.double().sqrt()
        self._shares = (weights / weights.sum()).to(device)
        self._n = num_negatives

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler: a row's own positive is in the pool, but does not count for it."""
        items = torch.multinomial(self._shares, self._n, replacement=True, generator=generator)
        counts = self.expected_count(users, items)
        return Negatives(items, counts.log().float(), valid=items != positives[:, None])

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler: N draws, each of them the item with its share."""
        return self._shares[items] * self._n
