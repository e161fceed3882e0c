"""A batch in training: its negatives, and what a loss sees of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Hardest", "MaskedScores", "Negatives", "Scores"]


@dataclass(frozen=True)
class Hardest:
    """The negatives of a row are those of its candidates that the model now scores highest.

    n: how many; of_each: the best of each of n equal groups of candidates, not the n best of all.
    """

    n: int
    of_each: bool


@dataclass(frozen=True)
class Negatives:
    """A draw of negative items for a batch of B positives.

    items: [B, N] int64, own negatives for each row, or [N], one pool that the batch shares.
    log_expected_count: shaped as `items`, float32: log of how often the draw was expected to bring
        that item into the row's (or the pool's) N places, given the row's own positive. The logQ of
        Yi et al. 2019 (RecSys, "Sampling-bias-corrected neural modeling"), exact for every sampler
        and mixture, under the distribution that positives are drawn from.
    valid: [B, N] bool: False where the item must not count against the row, an accidental hit on
        its positive or, where asked for, an item of the user's train history. None: all count.
    hardest: which of these candidates count; None: all.
    """

    items: Tensor
    log_expected_count: Tensor
    valid: Tensor | None
    hardest: Hardest | None = None

    def of_rows(self, rows: slice) -> Negatives:
        """Return those of some rows, where each row has its own."""
        valid = None if self.valid is None else self.valid[rows]
        counts = self.log_expected_count[rows]
        return Negatives(self.items[rows], counts, valid, self.hardest)


@dataclass(frozen=True)
class Scores:
    """What a loss sees of a batch.

    positive: [B], negative: [B, N], the scores of users against their positives and negatives.
    valid: [B, N] bool or None (all valid); log_expected_count: [B, N] or [N].
    embeddings: [B, D] of the users and [B, D] of their positives, for losses of these themselves.
    weights: [B] float, the weights of the rows, 1 on average over the train part; None: all 1.
    """

    positive: Tensor
    negative: Tensor
    valid: Tensor | None
    log_expected_count: Tensor
    embeddings: tuple[Tensor, Tensor] | None = None
    weights: Tensor | None = None


@dataclass(frozen=True)
class MaskedScores:
    """What a loss that states its own gradient sees of a batch, and overwrites with the gradient.

    positive: [B], negative: [B, N] float32, the scores; -inf for a negative that is not valid.
    counts: [B] int64, the number of valid negatives of each row.
    log_expected_count: [B, N] or [N]; weights: [B] float or None, as in `Scores`.
    """

    positive: Tensor
    negative: Tensor
    counts: Tensor
    log_expected_count: Tensor
    weights: Tensor | None = None
