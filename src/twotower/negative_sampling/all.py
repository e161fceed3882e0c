"""All items as negatives: the full softmax, without sampling."""

import torch
from torch import Generator, Tensor

from twotower.core.component import component
from twotower.negative_sampling.base import NegativeSampler
from twotower.negative_sampling.seen import PoolNegatives, PoolValidity
from twotower.types import Negatives, TrainInteractions

__all__ = ["AllItems"]


@component
class AllItems(NegativeSampler):
    """All items as one pool; each is expected exactly once.

    A row's positive is not valid, nor, with `exclude_seen`, the items that its user has seen.

    Example:
        User 0 has seen items 0 and 1.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 2]), n_users=2, n_items=3
        ... )
        >>> cpu = torch.device("cpu")
        >>> user, positive = torch.tensor([0]), torch.tensor([0])
        >>> sampler = AllItems(exclude_seen=True, train=train, device=cpu)
        >>> negatives = sampler.sample(user, positive, torch.Generator().manual_seed(0))
        >>> negatives.items
        tensor([0, 1, 2])
        >>> negatives.valid
        tensor([[False, False,  True]])
    """

    def __init__(
        self, exclude_seen: bool, *, train: TrainInteractions, device: torch.device
    ) -> None:
        self._items = torch.arange(train.n_items, device=device)
        self._log_count = torch.zeros(train.n_items, device=device)
        self._validity = PoolValidity(train, device, exclude_seen)

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; `items` is [n_items]."""
        return PoolNegatives(
            items=self._items,
            log_expected_count=self._log_count,
            mask=self._validity(users, positives, self._items),
        )

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        return torch.ones(items.shape, dtype=torch.float64, device=items.device)
