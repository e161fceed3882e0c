"""Rows with any number of values, as the mean of the values' vectors."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from twotower.types import ItemLists

__all__ = ["Bag"]


class Bag(nn.Module):
    """A trained vector per value of train; a row is the mean of the vectors of its values.

    Values that train lacks are left out: their vectors would keep their random initial values. A
    row without values is zeros. Vectors start at a length of about 1.
    """

    offsets: Tensor
    values: Tensor

    def __init__(
        self, rows: Tensor, values: Tensor, *, n: int, n_train: int, dim: int, generator: Generator
    ) -> None:
        """Build from pairs of a row and a value; repeated pairs count once.

        Args:
            rows: [m] int64, below n.
            values: [m] int64, any numbering of the values.
            n: Number of rows.
            n_train: Number of train rows, the first ones.
            dim: Length of the vectors.
            generator: Source of the initial weights.
        """
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
        """Return [M, dim] for `rows` ([M] int64)."""
        lists = ItemLists(self.offsets, self.values).select(rows)
        return nn.functional.embedding_bag(
            lists.items, self.weight, lists.offsets[:-1], mode="mean"
        )
