"""The id tower: one free vector for each user or item."""

from typing import Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from twotower.types import Side

__all__ = ["EmbeddingTower"]


class EmbeddingTower(nn.Module):
    """A table of embeddings of `emb_dim`, one for each row of train, drawn from N(0, init_std^2).

    With the similarity `cosine` it gives them at length 1, in training and in retrieval alike, so
    that the model's dot product is the cosine.
    """

    def __init__(
        self,
        emb_dim: PositiveInt,
        init_std: PositiveFloat,
        similarity: Literal["dot", "cosine"],
        *,
        side: Side,
        generator: Generator,
    ) -> None:
        super().__init__()
        self._cosine = similarity == "cosine"
        weight = torch.empty(side.n_train, emb_dim).normal_(std=init_std, generator=generator)
        self.weight = nn.Parameter(weight)

    def forward(self, ids: Tensor) -> Tensor:
        """[..., emb_dim] for `ids` ([...] int64)."""
        if self.weight.device.type == "cpu":
            # Its gradient is summed by index_add_, in half the time of torch's own embedding.
            rows = self.weight.index_select(0, ids.flatten()).view(*ids.shape, self.weight.shape[1])
        else:
            rows = nn.functional.embedding(ids, self.weight)
        return self._scaled(rows)

    def table(self) -> Tensor:
        """[n_train, emb_dim]: what `forward` gives for every id."""
        return self._scaled(self.weight)

    def _scaled(self, rows: Tensor) -> Tensor:
        return nn.functional.normalize(rows, dim=-1) if self._cosine else rows
