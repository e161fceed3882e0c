"""In-batch negatives: the positives of the other rows."""

import torch
from torch import Generator, Tensor

from twotower.negative_sampling.base import NegativeSampler, log_count
from twotower.negative_sampling.seen import PoolValidity
from twotower.types import Negatives, TrainInteractions

__all__ = ["InBatchSampler"]


class InBatchSampler(NegativeSampler):
    """The batch's B positives as one pool: nothing is drawn, so popular items come often.

    Given a row, the B - 1 others of its batch are expected to bring an item i that is not its
    positive (B - 1) * count(i) / (n - 1) times, where an epoch is a permutation of the n train
    interactions, and (B - 1) * p(i) times, where it draws them with weights that give item i the
    share p(i); see PositiveDistribution. Yi et al. 2019 (RecSys, "Sampling-bias-corrected neural
    modeling") estimate such counts from a stream. In a row its own positive is not valid wherever
    it is in the pool, nor with `exclude_seen` what its user has seen.

    The held-out positives of a validation are counted as if they had been drawn from train.
    """

    def __init__(
        self, exclude_seen: bool, *, train: TrainInteractions, device: torch.device
    ) -> None:
        self._shares = train.positive_shares.to(device)  # [n_items]
        self._validity = PoolValidity(train, device, exclude_seen)

    @staticmethod
    def needs_other_rows(exclude_seen: bool) -> bool:
        """See NegativeSampler."""
        return True

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
        return (len(users) - 1) * self._shares[items]
