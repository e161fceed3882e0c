"""Every item is a negative: the full softmax, without sampling."""

import torch
from torch import Generator, Tensor

from twotower.negative_sampling.base import NegativeSampler
from twotower.negative_sampling.seen import PoolValidity
from twotower.types import Negatives, TrainInteractions

__all__ = ["AllItems"]


class AllItems(NegativeSampler):
    """All items once, as one pool: each is expected once, so nothing is to be corrected.

    In a row its positive is not valid, nor with `exclude_seen` what its user has seen.
    """

    def __init__(
        self, exclude_seen: bool, *, train: TrainInteractions, device: torch.device
    ) -> None:
        self._items = torch.arange(train.n_items, device=device)
        self._log_count = torch.zeros(train.n_items, device=device)
        self._validity = PoolValidity(train, device, exclude_seen)

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; items are [n_items]."""
        return Negatives(
            items=self._items,
            log_expected_count=self._log_count,
            valid=self._validity(users, positives, self._items),
        )

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        return torch.ones(items.shape, dtype=torch.float64, device=items.device)
