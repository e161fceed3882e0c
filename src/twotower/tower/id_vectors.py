"""A free vector for each row of train, next to what else is known of it."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from twotower import seeding

__all__ = ["IdVectors"]


class IdVectors(nn.Module):
    """Vectors drawn from N(0, init_std^2); rows that train does not hold get zeros.

    In training a row's vector may be left out for a batch, so that features learn to stand alone,
    as they must for cold rows (Volkovs et al. 2017, NeurIPS, "DropoutNet: Addressing cold start in
    recommender systems"). Which ones follows from a seed of the tower's own and the number of the
    batch, which is part of the state: training that goes on from a checkpoint drops the same.
    """

    def __init__(
        self, n_train: int, emb_dim: int, init_std: float, dropout: float, generator: Generator
    ) -> None:
        super().__init__()
        weight = torch.empty(n_train, emb_dim).normal_(std=init_std, generator=generator)
        self.weight = nn.Parameter(weight)
        self._dropout = dropout
        self._seed = int(torch.randint(2**62, (), generator=generator))
        self._draws = 0

    def forward(self, rows: Tensor, drop: bool) -> Tensor:
        """[M, emb_dim] of distinct `rows` ([M] int64); `drop`: leave some out."""
        known = rows < len(self.weight)
        vectors = self.weight.index_select(0, rows.where(known, 0))
        if drop and self._dropout > 0:
            known = known & ~self._dropped(len(rows))
        return vectors * known[:, None]

    def _dropped(self, n: int) -> Tensor:
        """[n] bool."""
        device = self.weight.device
        generator = seeding.generator(self._seed, self._draws, device=device)
        self._draws += 1
        return torch.rand(n, generator=generator, device=device) < self._dropout

    def get_extra_state(self) -> Tensor:
        """How often was drawn and the seed, [2] int64, for the state_dict; on the CPU, where it is
        read without waiting for the device."""
        return torch.tensor([self._draws, self._seed])

    def set_extra_state(self, state: Tensor) -> None:
        self._draws, self._seed = state.tolist()
