"""Cross-batch negatives: the positives of this batch and of those before it."""

import copy
from collections import deque

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor

from twotower.core.component import component
from twotower.negative_sampling.base import NegativeSampler, log_count
from twotower.negative_sampling.seen import PoolNegatives, PoolValidity
from twotower.types import Negatives, TrainInteractions

__all__ = ["CrossBatchSampler"]


@component
class CrossBatchSampler(NegativeSampler):
    """The positives of the last `num_batches` batches, this one included, as one pool of P.

    Wang et al. 2021 (SIGIR, "Cross-batch negative sampling for training two-tower recommenders")
    cache the embeddings of past batches, which saves computation but makes them stale. Here the
    memory holds ids, which the current model encodes again: no embedding is stale, and gradients
    reach every item of the pool.

    Given a row, the P - 1 other places are expected to contain an item i other than its positive
    (P - 1) * count(i) / (n - 1) times, as in InBatchSampler: in a permutation, the batches of an
    epoch are one sample without replacement, however many the pool holds. With weighted positives
    it is (P - 1) * p(i). Each epoch starts with an empty memory, so pools grow over its first
    `num_batches` batches; P is the current size.

    Example:
        The second pool holds the positives of both batches.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 2]), n_users=2, n_items=3
        ... )
        >>> cpu = torch.device("cpu")
        >>> sampler = CrossBatchSampler(2, exclude_seen=True, train=train, device=cpu).fresh()
        >>> generator = torch.Generator().manual_seed(0)
        >>> sampler.sample(torch.tensor([0]), torch.tensor([0]), generator).items
        tensor([0])
        >>> sampler.sample(torch.tensor([1]), torch.tensor([2]), generator).items
        tensor([0, 2])
    """

    def __init__(
        self,
        num_batches: PositiveInt,
        exclude_seen: bool,
        *,
        train: TrainInteractions,
        device: torch.device,
    ) -> None:
        self._shares = train.positive_shares.to(device)  # [n_items]
        self._validity = PoolValidity(train, device, exclude_seen)
        self._memory: deque[Tensor] = deque(maxlen=num_batches)

    @staticmethod
    def needs_other_rows(num_batches: int, exclude_seen: bool) -> bool:
        """See NegativeSampler; with memory, the rows of earlier batches suffice."""
        return num_batches == 1

    def fresh(self) -> "CrossBatchSampler":
        """Return the sampler with an empty memory, so that each epoch depends on itself alone."""
        sampler = copy.copy(self)
        sampler._memory = deque(maxlen=self._memory.maxlen)
        return sampler

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; `items` is [P]. Adds `positives` to the memory."""
        self._memory.append(positives)
        pool = torch.cat(tuple(self._memory))
        count = self.expected_count(users, pool)
        return PoolNegatives(
            items=pool,
            log_expected_count=log_count(count),
            mask=self._validity(users, positives, pool),
        )

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        others = sum(len(batch) for batch in self._memory) - 1
        return max(others, 0) * self._shares[items]
