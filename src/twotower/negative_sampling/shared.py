"""One pool of negatives, shared by the whole batch."""

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor

from twotower.core.component import component
from twotower.negative_sampling.base import NegativeSampler, check_num_negatives
from twotower.negative_sampling.item_weights import popularity_weights, random_ranks
from twotower.negative_sampling.seen import PoolNegatives, PoolValidity
from twotower.types import Negatives, TrainInteractions

__all__ = ["SharedSampler"]


@component
class SharedSampler(NegativeSampler):
    """`num_negatives` items for each batch, p(i) ~ count(i)^alpha, with replacement.

    Counts are those of the train part, as in PopularitySampler. All rows are scored against the
    pool by one matrix product, so many negatives cost little. A row's positive is not valid, nor,
    with `exclude_seen`, the items that its user has seen.

    Example:
        A pool of 3 from 3 items, uniform: each item is expected once.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 2]), n_users=2, n_items=3
        ... )
        >>> cpu = torch.device("cpu")
        >>> user, positive = torch.tensor([0]), torch.tensor([0])
        >>> sampler = SharedSampler(3, alpha=0.0, exclude_seen=False, train=train, device=cpu)
        >>> negatives = sampler.sample(user, positive, torch.Generator().manual_seed(0))
        >>> negatives.items.shape, negatives.valid.shape
        (torch.Size([3]), torch.Size([1, 3]))
        >>> negatives.log_expected_count.exp()
        tensor([1., 1., 1.])
    """

    def __init__(
        self,
        num_negatives: PositiveInt,
        alpha: Annotated[float, Field(ge=0)],
        exclude_seen: bool,
        *,
        train: TrainInteractions,
        device: torch.device,
    ) -> None:
        """Build the sampler for one fold.

        Args:
            num_negatives: Size of the pool.
            alpha: Exponent of the counts; 0 is uniform, 1 proportional.
            exclude_seen: Exclude the items of the user's train history, not only the positive.
            train: Train part of the fold.
            device: Where negatives are sampled.

        Raises:
            ConfigError: If `num_negatives` is more than the number of items.
        """
        check_num_negatives(num_negatives, train)
        self.num_negatives = num_negatives
        self._weights = popularity_weights(train, alpha).to(device)
        self._ends = self._weights.cumsum(0)
        self._validity = PoolValidity(train, device, exclude_seen)

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; `items` is [num_negatives]."""
        point = random_ranks((self.num_negatives,), self._ends[-1:], generator)
        items = torch.searchsorted(self._ends, point, right=True)
        return PoolNegatives(
            items=items,
            log_expected_count=self.expected_count(users, items).log().float(),
            mask=self._validity(users, positives, items),
        )

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        return self.num_negatives * self._weights[items].double() / self._ends[-1]
