"""A free vector for each row of train, next to what else is known of it."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from twotower.core import seeding

__all__ = ["IdVectors"]


class IdVectors(nn.Module):
    """Vectors drawn from N(0, init_std^2); rows that train does not hold get zeros.

    During training a row's vector may be left out for a batch, so that features learn to predict
    without it, as they must for cold rows (Volkovs et al. 2017, NeurIPS, "DropoutNet:
    Addressing cold start in recommender systems").
    """

    def __init__(
        self, n_train: int, emb_dim: int, init_std: float, dropout: float, generator: Generator
    ) -> None:
        super().__init__()
        weight = torch.empty(n_train, emb_dim).normal_(std=init_std, generator=generator)
        self.weight = nn.Parameter(weight)
        self._dropout = dropout
        self.draws = seeding.Draws(generator)

    def forward(self, rows: Tensor, drop: bool) -> Tensor:
        """Return [M, emb_dim] for distinct `rows` ([M] int64); `drop`: leave some out."""
        known = rows < len(self.weight)
        vectors = self.weight.index_select(0, rows.where(known, 0))
        if drop and self._dropout > 0:
            known = known & (self.draws(rows.shape, rows.device) >= self._dropout)
        return vectors * known[:, None]
