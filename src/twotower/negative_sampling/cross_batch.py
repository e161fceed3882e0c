"""Cross-batch negatives: the positives of this batch and of those before it."""

import copy
from collections import deque

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor

from twotower.negative_sampling.base import NegativeSampler, log_count
from twotower.negative_sampling.seen import PoolValidity
from twotower.types import Negatives, TrainInteractions

__all__ = ["CrossBatchSampler"]


class CrossBatchSampler(NegativeSampler):
    """The positives of the last `num_batches` batches, this one included, as one pool of P.

    Wang et al. 2021 (SIGIR, "Cross-batch negative sampling for training two-tower recommenders")
    keep embeddings of past batches, which save their computation and are as old as their batch;
    here the memory holds ids, and the model as it stands encodes them anew: no embedding is stale,
    and gradients reach every item of the pool.

    Given a row, the P - 1 other places are expected to bring an item i that is not its positive
    (P - 1) * count(i) / (n - 1) times, as in InBatchSampler: in a permutation the batches of an
    epoch are one draw without replacement, however many of them the pool holds. With weights it is
    (P - 1) * p(i). An epoch begins with an empty memory, and its pools grow over the first
    `num_batches` batches; P is the size of the pool as it is.
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
        """See NegativeSampler; the rows of earlier batches will do."""
        return num_batches == 1

    def fresh(self) -> "CrossBatchSampler":
        """The same with an empty memory: what an epoch draws depends on that epoch alone."""
        sampler = copy.copy(self)
        sampler._memory = deque(maxlen=self._memory.maxlen)
        return sampler

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; items are [P]. Remembers `positives`."""
        self._memory.append(positives)
        pool = torch.cat(tuple(self._memory))
        count = self.expected_count(users, pool)
        return Negatives(
            items=pool,
            log_expected_count=log_count(count),
            valid=self._validity(users, positives, pool),
        )

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        others = sum(len(batch) for batch in self._memory) - 1
        return max(others, 0) * self._shares[items]
