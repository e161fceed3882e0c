"""Popular negatives: the probability of an item is a power of its train count."""

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor

from twotower.core.component import component
from twotower.negative_sampling.ascending import AscendingRows
from twotower.negative_sampling.base import (
    CountedLater,
    NegativeSampler,
    check_num_negatives,
    log_count,
)
from twotower.negative_sampling.draws import valid_
from twotower.negative_sampling.item_weights import popularity_weights
from twotower.types import Negatives, TrainInteractions

__all__ = ["PopularitySampler"]


@component
class PopularitySampler(NegativeSampler):
    """`num_negatives` items for each positive, p(i) ~ count(i)^alpha, with replacement.

    Mikolov et al. 2013 (NIPS, "Distributed representations of words and phrases") use 0.75. Counts
    are those of the train part, each interaction once, also with `trainer.half_life`.

    With `exclude_seen` a row samples from the items outside its user's train history, exactly and
    without rejection. Place the items on a line, each as wide as its weight. Of the items seen, in
    ascending order s_0 < s_1 < ..., s_j has below it the unseen width u_j and the seen width v_j.
    A point x of the user's unseen width is at x + v_j on the whole line, where j is the number of
    u_j <= x, and two binary searches find it. A user without an unseen item of positive weight has
    no valid negatives. A sample of the row's own positive is never valid.

    Example:
        User 0 has seen items 0 and 1, so both negatives are item 2, expected 2 times.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 2]), n_users=2, n_items=3
        ... )
        >>> cpu = torch.device("cpu")
        >>> user, positive = torch.tensor([0]), torch.tensor([0])
        >>> sampler = PopularitySampler(2, alpha=0.75, exclude_seen=True, train=train, device=cpu)
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
        alpha: Annotated[float, Field(ge=0)],
        exclude_seen: bool,
        *,
        train: TrainInteractions,
        device: torch.device,
    ) -> None:
        """Build the sampler for one fold.

        Args:
            num_negatives: Negatives per positive.
            alpha: Exponent of the counts; 0 is uniform, 1 proportional.
            exclude_seen: Exclude the items of the user's train history, not only the positive.
            train: Train part of the fold.
            device: Where negatives are sampled.

        Raises:
            ConfigError: If `num_negatives` is more than the number of items.
        """
        check_num_negatives(num_negatives, train)
        self.num_negatives = num_negatives
        self.exclude_seen = exclude_seen
        self._weights = popularity_weights(train, alpha).to(device)
        self._ends = self._weights.cumsum(0)  # [n_items], where each item's width ends
        self._total = self._ends[-1:]  # [1]
        below = int(self._total) + 1
        only = torch.tensor([0, len(self._ends)], device=device)
        self._ends_in_line = AscendingRows(only, self._ends, below)
        self._whole = AscendingRows(0 * only, self._ends[:0], below)  # of which all may be drawn
        if exclude_seen:
            self._set_seen(train, device)

    def _set_seen(self, train: TrainInteractions, device: torch.device) -> None:
        self._seen = train.items_by_user.to(device)
        rows, items = self._seen.rows, self._seen.items
        offsets = self._seen.offsets
        zero = self._total.new_zeros(1)
        self._widths = torch.cat([zero, self._weights[items].cumsum(0)])  # [n + 1]
        at_start = self._widths[offsets]  # [n_users + 1]
        self._unseen_total = self._total - at_start.diff()  # [n_users]
        starts = self._ends[items] - self._weights[items]
        unseen_below = starts - (self._widths[:-1] - at_start[rows])
        below = int(self._total) + 1
        self._unseen_below = AscendingRows(offsets, unseen_below, below)

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """See NegativeSampler; `items` is [B, num_negatives]."""
        if self.exclude_seen:
            lines, rows, widths = self._unseen_below, users, self._widths
            totals = self._unseen_total
        else:
            lines, rows, widths = self._whole, torch.zeros_like(users), None
            totals = self._total
        point = lines.pass_over(rows, totals, widths, self.num_negatives, generator)
        items = self._ends_in_line.count_up_to(torch.zeros_like(users), point)
        valid = valid_(items, positives, len(self._ends))  # past the last if none can be sampled
        total = totals[rows, None]  # [B, 1]

        def log_expected_count() -> Tensor:
            count = self.num_negatives * self._weights[items].double() / total.clamp(min=1)
            return log_count(count * (total > 0))

        return CountedLater(items, log_expected_count, valid)

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """See NegativeSampler."""
        weights = self._weights[items].double()
        if not self.exclude_seen:
            return self.num_negatives * weights / self._total
        count = self.num_negatives * weights / self._unseen_total[users, None].clamp(min=1)
        return count.masked_fill_(self._seen.contains(users, items), 0.0)
