"""Batches: slices of permuted tensors, with negatives sampled for the whole batch at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from twotower.negative_sampling import NegativeSampler
from twotower.types import BlockOrder, Histories, Negatives, Past

__all__ = ["Batch", "Batches", "Chunk", "Chunks", "EpochRows", "Pasts", "batches_at_once"]

_MOST_NEGATIVES = 2**22  # drawn at once: 100 MB with their masks, counts and slots


class Batch(NamedTuple):
    """One training step's input.

    Attributes:
        users: [B] int64.
        positives: [B] int64, the item of each interaction.
        negatives: The negatives sampled for these rows.
        past: The histories of the users before their positives; None for models that read none.
        weights: [B] float32, of each row in the loss; None: all 1.
    """

    users: Tensor
    positives: Tensor
    negatives: Negatives
    past: Past | None
    weights: Tensor | None

    def split(self, size: int) -> Iterator[Batch]:
        """Yield batches of `size` rows each, of one that covers several.

        Only a batch of `size` rows or fewer may have a pool, or a history.
        """
        n = len(self.users)
        if n <= size:
            yield self
            return
        assert self.negatives.items.dim() == 2
        assert self.past is None
        for start in range(0, n, size):
            rows = slice(start, start + size)
            weights = None if self.weights is None else self.weights[rows]
            negatives = self.negatives.of_rows(rows)
            yield Batch(self.users[rows], self.positives[rows], negatives, None, weights)


@dataclass(frozen=True)
class Pasts:
    """The history that precedes each of n positives, for models that read histories.

    Attributes:
        histories: Histories of all users.
        length: How many of the newest items are read.
        before: [n] int64, how many of the user's items precede each positive. None where that is
            unknown: then the whole history is read, without the positive itself.
    """

    histories: Histories
    length: int
    before: Tensor | None

    def of(self, users: Tensor, positives: Tensor, rows: slice | Tensor) -> Past:
        """Return the histories of one batch.

        Args:
            users: [B] int64.
            positives: [B] int64.
            rows: Which of the n positives make up the batch.
        """
        before = None if self.before is None else self.before[rows]
        past = self.histories.latest(users, self.length, before)
        if self.before is None:
            return Past(past.items, past.valid & (past.items != positives[:, None]))
        return past


@dataclass(frozen=True)
class EpochRows:
    """The rows of one epoch and process, for positives that are read block by block.

    Attributes:
        order: The blocks.
        shuffle: Source of the order, the same in all processes.
        rank, world_size: Which of how many processes.
    """

    order: BlockOrder
    shuffle: Generator
    rank: int
    world_size: int

    def __len__(self) -> int:
        return self.order.n // self.world_size

    def batches(self, size: int) -> Iterator[Tensor]:
        """Yield the rows of each batch."""
        return self.order.batches(self.shuffle, size, self.rank, self.world_size)


@dataclass(frozen=True)
class Batches:
    """One pass over positive pairs, in the given order.

    All tensors, the sampler and the generator are on one device.

    Attributes:
        users: [n], int32 or int64.
        positives: [n], as `users`.
        negative_sampler: Samples the negatives of each batch.
        batch_size: Rows per batch; the last batch may be smaller.
        generator: Source of the negatives.
        pasts: Histories before each positive; None for models that read none.
        weights: [n] float32, of each positive in the loss; None: all 1.
        rows: Which of the positives come, in which order; None: all in theirs.
    """

    users: Tensor
    positives: Tensor
    negative_sampler: NegativeSampler
    batch_size: int
    generator: Generator
    pasts: Pasts | None
    weights: Tensor | None = None
    rows: EpochRows | None = None

    def __len__(self) -> int:
        # At least 1: Lightning would skip a validation without batches, and with it the ranking
        # where all held-out users or items are cold.
        n = len(self.users) if self.rows is None else len(self.rows)
        return max(1, -(-n // self.batch_size))

    def __iter__(self) -> Iterator[Batch]:
        return self._made(1)

    def runs(self, length: int) -> Iterator[Iterator[Batch]]:
        """Yield runs of `length` batches, the last one perhaps of fewer.

        Several batches come as one, whose negatives are sampled at once, where that changes nothing
        but the time it takes; see `batches_at_once`.
        """
        sampler, count = self.negative_sampler, 1
        if getattr(sampler, "samples_by_row", False) and self.pasts is None:
            count = batches_at_once(length, self.batch_size * getattr(sampler, "num_negatives", 1))
        made = self._made(count)
        for _ in range(-(-len(self) // length)):
            yield islice(made, length // count)

    def _made(self, count: int) -> Iterator[Batch]:
        """Yield batches, each of which covers `count` of them."""
        sampler = self.negative_sampler.fresh()  # a pass does not depend on any other
        for rows in self._rows(count):
            users, positives = self.users[rows].long(), self.positives[rows].long()
            negatives = sampler.sample(users, positives, self.generator)
            past = self.pasts.of(users, positives, rows) if self.pasts else None
            weights = None if self.weights is None else self.weights[rows]
            yield Batch(users, positives, negatives, past, weights)

    def _rows(self, count: int) -> Iterator[slice] | Iterator[Tensor]:
        """Yield the rows of `count` batches at a time."""
        if self.rows is not None:
            batches = self.rows.batches(self.batch_size)
            return batches if count == 1 else _joined(batches, count)
        starts = range(0, len(self.users), count * self.batch_size)
        return (slice(start, start + count * self.batch_size) for start in starts)


def batches_at_once(length: int, negatives: int) -> int:
    """Return how many batches are made at once, so that their negatives take little memory.

    Args:
        length: Batches of a run.
        negatives: Of a batch, over all its rows.

    Returns:
        The largest divisor of `length` whose batches have at most 2^22 negatives; 1 if none has.

    Example:
        >>> [batches_at_once(64, 2048 * n) for n in (10, 100, 10_000)]
        [64, 16, 1]
    """
    most = max(1, _MOST_NEGATIVES // negatives)
    return next(count for count in range(min(length, most), 0, -1) if length % count == 0)


def _joined(batches: Iterator[Tensor], count: int) -> Iterator[Tensor]:
    while several := list(islice(batches, count)):
        yield torch.cat(several)


@dataclass(frozen=True)
class Chunk:
    """Batches that one call of a training step takes from a pass, in their order.

    Attributes:
        batches: Each of which may cover several; see `Batches.runs`.
        batch_size: Rows of a batch.
        ends_epoch: Whether this is the last chunk.
    """

    batches: Iterator[Batch]
    batch_size: int
    ends_epoch: bool


@dataclass(frozen=True)
class Chunks:
    """One pass over batches, `size` at a time."""

    batches: Batches
    size: int

    def __len__(self) -> int:
        return -(-len(self.batches) // self.size)

    def __iter__(self) -> Iterator[Chunk]:
        count = len(self)
        for number, run in enumerate(self.batches.runs(self.size), 1):
            yield Chunk(run, self.batches.batch_size, number == count)
