"""One pool of negatives that the whole batch shares."""

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor

from twotower.negative_sampling.base import NegativeSampler, check_num_negatives
from twotower.negative_sampling.item_weights import popularity_weights, random_ranks
from twotower.negative_sampling.seen import PoolValidity
from twotower.types import Negatives, TrainInteractions

__all__ = ["SharedSampler"]


class SharedSampler(NegativeSampler):
    """`num_negatives` items for each batch, p(i) ~ count(i)^alpha, with replacement.

    Counts are those of the train part, as in PopularitySampler. All rows are scored against the one
    pool by one matrix product, so many more negatives cost little. In a row its positive is not
    valid, nor with `exclude_seen` what its user has seen.
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
        """Raises ConfigError where there are fewer items than negatives asked for."""
        check_num_negatives(num_negatives, train)
        self.num_negatives = num_negatives
        self._weights = popularity_weights(train, alpha).to(device)
        self._ends = self._weights.cumsum(0)
        self._validity = PoolValidity(train, device, exclude_seen)

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; items are [num_negatives]."""
        point = random_ranks((self.num_negatives,), self._ends[-1:], generator)
        items = torch.searchsorted(self._ends, point, right=True)
        return Negatives(
            items=items,
            log_expected_count=self.expected_count(users, items).log().float(),
            valid=self._validity(users, positives, items),
        )

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        return self.num_negatives * self._weights[items].double() / self._ends[-1]
