"""The id tower: one free vector for each user or item."""

from typing import Any

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
            rows: Tensor = _Lookup.apply(self.weight, ids)  # type: ignore[no-untyped-call]
            return rows
        return nn.functional.embedding(ids, self.weight)

    def table(self) -> Tensor:
        """[n, emb_dim], the parameter itself."""
        return self.weight


class _Lookup(torch.autograd.Function):
    """`weight[ids]` whose gradient is summed by index_add_.

    On a CPU that takes half the time of torch's own embedding backward, the largest part of a
    training step, and like it gives the same bits each time.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.shape = weight.shape
        return weight.index_select(0, ids.flatten()).view(*ids.shape, weight.shape[1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (ids,) = ctx.saved_tensors
        (grad,) = grads
        total = grad.new_zeros(ctx.shape)
        return total.index_add_(0, ids.flatten(), grad.reshape(-1, ctx.shape[1])), None
