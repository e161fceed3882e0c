"""A log that is never in memory as a whole, and what training reads of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import polars as pl
import torch
from torch import Generator, Tensor

from twotower.types.fold import TrainInteractions
from twotower.types.frames import SplitFrames
from twotower.types.lists import Histories, ItemLists

__all__ = ["BlockOrder", "LogStream", "StreamedFrames", "StreamedTrain"]


class LogStream(Protocol):
    """A log that is read in batches; what both have is described in `Interactions`."""

    @property
    def n_rows(self) -> int:
        """How many interactions the log has."""
        ...

    @property
    def users(self) -> pl.DataFrame | None:
        """See Interactions."""
        ...

    @property
    def items(self) -> pl.DataFrame | None:
        """See Interactions."""
        ...

    @property
    def origin(self) -> str:
        """See Interactions."""
        ...

    @property
    def digest(self) -> str:
        """Hex digest of files and configuration."""
        ...

    def batches(self) -> Iterator[pl.DataFrame]:
        """Yield the rows in the order of the files, with canonical columns."""
        ...

    def in_order(self, log: pl.DataFrame) -> pl.DataFrame:
        """Return a part of the log with its rows in canonical order."""
        ...


@dataclass(frozen=True)
class StreamedFrames(SplitFrames):
    """A split whose history is on disk: the frame has no rows.

    Attributes:
        folder: Where the rows are, by buckets of users.
    """

    folder: Path


@dataclass(frozen=True)
class BlockOrder:
    """A shuffle that reads neighbouring rows: blocks in random order, some at once, mixed.

    Attributes:
        n: Rows.
        block: Rows per block.
        at_once: Blocks that are mixed; all rows of `at_once` blocks or fewer are permuted.
    """

    n: int
    block: int
    at_once: int

    def chunks(self, generator: Generator) -> Iterator[Tensor]:
        """Yield row numbers, int64, that together are a permutation of n.

        >>> order = BlockOrder(n=5, block=2, at_once=2)
        >>> chunks = list(order.chunks(torch.Generator().manual_seed(0)))
        >>> [len(chunk) for chunk in chunks], torch.cat(chunks).sort().values.tolist()
        ([3, 2], [0, 1, 2, 3, 4])
        """
        device = generator.device
        blocks = torch.randperm(-(-self.n // self.block), generator=generator, device=device)
        inside = torch.arange(self.block, device=device)
        for some in torch.split(blocks, self.at_once):
            rows = (some[:, None] * self.block + inside).flatten()
            rows = rows[rows < self.n]
            yield rows[torch.randperm(len(rows), generator=generator, device=device)]

    def batches(
        self, generator: Generator, size: int, rank: int = 0, world_size: int = 1
    ) -> Iterator[Tensor]:
        """Yield the rows of one process, [size] each, fewer in the last batch.

        All processes have equally many: up to world_size - 1 rows are left out.
        """
        done, kept = 0, self.n - self.n % world_size
        waiting = torch.empty(0, dtype=torch.int64, device=generator.device)
        for chunk in self.chunks(generator):
            first = (rank - done) % world_size
            waiting = torch.cat([waiting, chunk[: kept - done][first::world_size]])
            done += len(chunk)
            whole = len(waiting) - len(waiting) % size
            if whole:
                yield from torch.split(waiting[:whole], size)
            waiting = waiting[whole:]
        if len(waiting):
            yield waiting


@dataclass(frozen=True, kw_only=True)
class StreamedTrain(TrainInteractions):
    """Train interactions in files that are mapped into memory, read as they are needed.

    Their order on disk is random within buckets of users and means nothing.

    Attributes:
        order: The order of an epoch.
        stored_histories: See `histories`.
        stored_lists: See `items_by_user`.
        stored_before: See `before`.
    """

    order: BlockOrder
    stored_histories: Histories
    stored_lists: ItemLists
    stored_before: Tensor

    @cached_property
    def items_by_user(self) -> ItemLists:
        """See TrainInteractions."""
        return self.stored_lists

    @cached_property
    def histories(self) -> Histories:
        """See TrainInteractions."""
        return self.stored_histories

    @cached_property
    def before(self) -> Tensor | None:
        """See TrainInteractions."""
        return self.stored_before
