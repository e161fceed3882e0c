"""Uniform negatives: all items are equally likely."""

import math

import torch
from pydantic import PositiveInt
from torch import Generator, Tensor

from twotower.core.component import component
from twotower.negative_sampling.ascending import AscendingRows
from twotower.negative_sampling.base import NegativeSampler, check_num_negatives
from twotower.negative_sampling.draws import random_below, valid_
from twotower.types import Negatives, TrainInteractions

__all__ = ["UniformSampler"]


@component
class UniformSampler(NegativeSampler):
    """`num_negatives` items for each positive, uniformly and with replacement.

    With `exclude_seen` a row samples from the items outside its user's train history, exactly and
    without rejection: of the m items seen, in ascending order s_0 < s_1 < ..., item s_j has
    s_j - j unseen items below it, so the r-th unseen item is r + #{j : s_j - j <= r}, one binary
    search in the user's part of a sorted array. A user who has seen every item has no valid
    negatives. Without `exclude_seen` a row samples from all items. A sample of the row's own
    positive is never valid.

    Example:
        User 0 has seen items 0 and 1, so both negatives are item 2, expected 2 times.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 2]), n_users=2, n_items=3
        ... )
        >>> cpu = torch.device("cpu")
        >>> user, positive = torch.tensor([0]), torch.tensor([0])
        >>> sampler = UniformSampler(num_negatives=2, exclude_seen=True, train=train, device=cpu)
        >>> negatives = sampler.sample(user, positive, torch.Generator().manual_seed(0))
        >>> negatives.items
        tensor([[2, 2]])
        >>> negatives.log_expected_count.exp()
        tensor([[2., 2.]])
    """

    samples_by_row = True

    def __init__(
        self,
        num_negatives: PositiveInt,
        exclude_seen: bool,
        *,
        train: TrainInteractions,
        device: torch.device,
    ) -> None:
        """Build the sampler for one fold.

        Args:
            num_negatives: Negatives per positive.
            exclude_seen: Exclude the items of the user's train history, not only the positive.
            train: Train part of the fold.
            device: Where negatives are sampled.

        Raises:
            ConfigError: If `num_negatives` is more than the number of items.
        """
        check_num_negatives(num_negatives, train)
        self.num_negatives = num_negatives
        self.exclude_seen = exclude_seen
        self._n_items = train.n_items
        self._seen = train.items_by_user.to(device)
        seen = self._seen
        ranks = torch.arange(len(seen.items), device=device) - seen.offsets[seen.rows]
        self._unseen_below = AscendingRows(seen.offsets, seen.items - ranks, train.n_items + 1)
        self._n_unseen = train.n_items - seen.lengths

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; `items` is [B, num_negatives]."""
        shape = (len(users), self.num_negatives)
        if not self.exclude_seen:
            items = random_below(self._n_items, shape, generator)
            share = math.log(self.num_negatives / self._n_items)
            return Negatives(
                items=items,
                log_expected_count=torch.full((), share, device=items.device).expand(shape),
                valid=valid_(items, positives, self._n_items),
            )
        n_unseen = self._n_unseen[users, None]  # [B, 1]
        items = self._unseen_below.pass_over(
            users, self._n_unseen, None, self.num_negatives, generator
        )
        log_count = torch.log(self.num_negatives / n_unseen.clamp(min=1)).float()
        # A positive from train is never sampled, a held-out one may be. For a user who has seen all
        # items, one past the last is.
        valid = valid_(items, positives, self._n_items)
        return Negatives(items, log_count.expand(shape), valid)

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        if not self.exclude_seen:
            share = self.num_negatives / self._n_items
            return torch.full(items.shape, share, dtype=torch.float64, device=items.device)
        count = self.num_negatives / self._n_unseen[users, None].clamp(min=1).double()
        return torch.where(self._seen.contains(users, items), 0.0, count)
