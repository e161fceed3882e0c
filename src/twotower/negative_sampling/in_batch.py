"""In-batch negatives: the positives of the other rows."""

import torch
from torch import Generator, Tensor

from twotower.core.component import component
from twotower.negative_sampling.base import NegativeSampler, log_count
from twotower.negative_sampling.seen import PoolNegatives, PoolValidity
from twotower.types import Negatives, TrainInteractions

__all__ = ["InBatchSampler"]


@component
class InBatchSampler(NegativeSampler):
    """The batch's B positives as one pool, in which popular items are frequent.

    Given a row, its batch's B - 1 other rows are expected to contain an item i other than the row's
    positive (B - 1) * count(i) / (n - 1) times if an epoch is a permutation of the n train
    interactions, and (B - 1) * p(i) times if it draws them with weights that give item i the share
    p(i); see PositiveDistribution. Yi et al. 2019 (RecSys, "Sampling-bias-corrected neural
    modeling") estimate such counts from a stream. A row's positive is not valid anywhere in the
    pool, nor, with `exclude_seen`, the items that its user has seen.

    In validation, held-out positives are counted as if they had been drawn from train.

    Example:
        Given row 0, the other row is one of 2 interactions: item 2 is expected 1/2 times.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 2]), n_users=2, n_items=3
        ... )
        >>> cpu = torch.device("cpu")
        >>> sampler = InBatchSampler(exclude_seen=True, train=train, device=cpu)
        >>> users, positives = torch.tensor([0, 1]), torch.tensor([0, 2])
        >>> negatives = sampler.sample(users, positives, torch.Generator().manual_seed(0))
        >>> negatives.items
        tensor([0, 2])
        >>> negatives.log_expected_count.exp()
        tensor([0.5000, 0.5000])
        >>> negatives.valid
        tensor([[False,  True],
                [ True, False]])
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
        """See NegativeSampler; `items` is `positives`, [B]."""
        count = self.expected_count(users, positives)
        return PoolNegatives(
            items=positives,
            log_expected_count=log_count(count),
            mask=self._validity(users, positives, positives),
        )

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        return (len(users) - 1) * self._shares[items]
