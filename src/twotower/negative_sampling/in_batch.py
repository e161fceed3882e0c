"""In-batch negatives: the positives of the other rows."""

import torch
from torch import Generator, Tensor

from twotower.negative_sampling.base import NegativeSampler, log_count
from twotower.negative_sampling.seen import PoolValidity
from twotower.types import Negatives, TrainInteractions

__all__ = ["InBatchSampler"]


class InBatchSampler(NegativeSampler):
    """The batch's B positives as one pool: nothing is drawn, so popular items come often.

    A batch of B of the n train interactions is expected to bring item i B * count(i) / n times
    (Yi et al. 2019, RecSys, "Sampling-bias-corrected neural modeling"); here the counts are known,
    theirs are estimated from a stream. In a row its own positive is not valid wherever it stands
    in the pool, nor with `exclude_seen` what its user has seen.
    """

    def __init__(
        self, exclude_seen: bool, *, train: TrainInteractions, device: torch.device
    ) -> None:
        self._shares = (train.item_counts.double() / len(train)).to(device)  # [n_items]
        self._validity = PoolValidity(train, device, exclude_seen)

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; items are `positives`, [B]."""
        count = self.expected_count(users, positives)
        return Negatives(
            items=positives,
            log_expected_count=log_count(count),
            valid=self._validity(users, positives, positives),
        )

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        return len(users) * self._shares[items]
