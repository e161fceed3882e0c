"""The id tower: one free vector for each user or item."""

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

__all__ = ["EmbeddingTower"]


class EmbeddingTower(nn.Module):
    """A table of `n` embeddings of `emb_dim`, drawn from N(0, init_std^2)."""

    def __init__(
        self, emb_dim: PositiveInt, init_std: PositiveFloat, *, n: int, generator: Generator
    ) -> None:
        super().__init__()
        weight = torch.empty(n, emb_dim).normal_(std=init_std, generator=generator)
        self.weight = nn.Parameter(weight)

    def forward(self, ids: Tensor) -> Tensor:
        """[..., emb_dim] for `ids` ([...] int64)."""
        if self.weight.device.type == "cpu":
            # Its gradient is summed by index_add_, in half the time of torch's own embedding.
            return self.weight.index_select(0, ids.flatten()).view(*ids.shape, -1)
        return nn.functional.embedding(ids, self.weight)

    def table(self) -> Tensor:
        """[n, emb_dim], the parameter itself."""
        return self.weight
