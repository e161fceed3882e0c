"""In-batch negatives: the positives of the other rows."""

import copy

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

    With `gather`, the pool of a run in several processes holds the positives of all of them, as
    if one process had made a batch of their batches; each computes item embeddings by itself.

    In validation, held-out positives are counted as if they had been drawn from train.

    Example:
        Given row 0, the other row is one of 2 interactions: item 2 is expected 1/2 times.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 2]), n_users=2, n_items=3
        ... )
        >>> cpu = torch.device("cpu")
        >>> sampler = InBatchSampler(True, gather=False, train=train, device=cpu)
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
        self, exclude_seen: bool, gather: bool, *, train: TrainInteractions, device: torch.device
    ) -> None:
        """Build the sampler for one fold.

        Args:
            exclude_seen: Exclude the items of the user's train history, not only the positive.
            gather: Whether several processes of one run share a pool of all of their positives.
            train: Train part of the fold.
            device: Where negatives are sampled.
        """
        self._gather = gather
        self._n_pool = 0
        self._shares = train.positive_shares.to(device)  # [n_items]
        self._validity = PoolValidity(train, device, exclude_seen)

    @staticmethod
    def needs_other_rows(exclude_seen: bool, gather: bool) -> bool:
        """See NegativeSampler."""
        return True

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; `items` is `positives`, [B], or with `gather` of all processes."""
        pool = _gathered(positives) if self._gather else positives
        self._n_pool = len(pool)
        count = self.expected_count(users, pool)
        return PoolNegatives(
            items=pool,
            log_expected_count=log_count(count),
            mask=self._validity(users, positives, pool),
        )

    def alone(self) -> "InBatchSampler":
        """Return the sampler without `gather`."""
        sampler = copy.copy(self)
        sampler._gather = False
        return sampler

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        n_pool = self._n_pool if self._gather else len(users)
        return (n_pool - 1) * self._shares[items]


def _gathered(positives: Tensor) -> Tensor:
    """Return the positives of all processes, [processes * B], which have equally many each."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return positives
    parts = [torch.empty_like(positives) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, positives)
    return torch.cat(parts)
