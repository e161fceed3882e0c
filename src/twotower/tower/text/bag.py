"""Rows that have any number of values each, as the mean of the vectors of these."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from twotower.types import ItemLists

__all__ = ["Bag"]


class Bag(nn.Module):
    """A trained vector for each value that train has; a row is the mean of those of its values.

    Values that train lacks are left out: their vectors would be as they were drawn, which tells
    nothing. A row without values is zeros. A vector starts at a length of about 1.
    """

    offsets: Tensor
    values: Tensor

    def __init__(
        self, rows: Tensor, values: Tensor, *, n: int, n_train: int, dim: int, generator: Generator
    ) -> None:
        """Of pairs: the row ([m] int64, below n) and the number of a value ([m] int64) that it has;
        repeated pairs count once."""
        super().__init__()
        vocabulary = torch.unique(values[rows < n_train])  # ascending
        known = torch.isin(values, vocabulary)
        codes = torch.searchsorted(vocabulary, values[known])
        lists = ItemLists.from_pairs(rows[known], codes, n)
        self.register_buffer("offsets", lists.offsets)  # row r has values[offsets[r]:offsets[r+1]]
        self.register_buffer("values", lists.items)
        weight = torch.empty(len(vocabulary), dim).normal_(std=dim**-0.5, generator=generator)
        self.weight = nn.Parameter(weight)

    def forward(self, rows: Tensor) -> Tensor:
        """[M, dim] of `rows` ([M] int64)."""
        lists = ItemLists(self.offsets, self.values).select(rows)
        return nn.functional.embedding_bag(
            lists.items, self.weight, lists.offsets[:-1], mode="mean"
        )
