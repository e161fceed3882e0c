"""The id tower: one free vector for each user or item."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from twotower.types import Side

__all__ = ["EmbeddingTower"]


class EmbeddingTower(nn.Module):
    """A table of embeddings of `emb_dim`, one for each row of train, drawn from N(0, init_std^2).

    With the similarity `cosine` it gives them at length 1, in training and in retrieval alike, so
    that the model's dot product is the cosine. With `bias` the last number of every user is 1, and
    with it the last number of an item is what the item's scores have in common: its bias.
    """

    def __init__(
        self,
        emb_dim: PositiveInt,
        init_std: PositiveFloat,
        similarity: Literal["dot", "cosine"],
        bias: bool,
        *,
        side: Side,
        generator: Generator,
    ) -> None:
        super().__init__()
        self._cosine = similarity == "cosine"
        self._ends_in_one = bias and side.kind == "user"
        width = emb_dim - 1 if self._ends_in_one else emb_dim
        weight = torch.empty(side.n_train, width).normal_(std=init_std, generator=generator)
        self.weight = nn.Parameter(weight)

    @staticmethod
    def conflicts(node: Mapping[str, Any], path: str) -> Iterator[str]:
        """At length 1 no number of a vector can be the same for all users."""
        if node.get("bias") is True and node.get("similarity") == "cosine":
            yield f"{path}.bias: got true with {path}.similarity=cosine; valid is false, or dot"

    def forward(self, ids: Tensor) -> Tensor:
        """[..., emb_dim] for `ids` ([...] int64)."""
        if self.weight.device.type == "cpu":
            # Its gradient is summed by index_add_, in half the time of torch's own embedding.
            rows = self.weight.index_select(0, ids.flatten())
            rows = rows.view(*ids.shape, self.weight.shape[1])
        else:
            rows = nn.functional.embedding(ids, self.weight)
        return self._finished(rows)

    def table(self) -> Tensor:
        """[n_train, emb_dim]: what `forward` gives for every id."""
        return self._finished(self.weight)

    def _finished(self, rows: Tensor) -> Tensor:
        if self._ends_in_one:
            return torch.cat([rows, rows.new_ones(*rows.shape[:-1], 1)], -1)
        return nn.functional.normalize(rows, dim=-1) if self._cosine else rows
