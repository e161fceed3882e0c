"""How positives are drawn from the train interactions, and how often that brings each item."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor

__all__ = ["PositiveDistribution"]


@dataclass(frozen=True)
class PositiveDistribution:
    """Draws the positives of an epoch: as many as there are train interactions.

    Batches are drawn from it and samplers count by it, so that both always agree.

    weights: [n] float64, one per interaction: draws are independent, with replacement, in
        proportion to them. None: a permutation, in which each interaction comes once.
    """

    weights: Tensor | None = None

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Return [n] on the generator's device: the n interactions of an epoch, in order.

        They are int64, but int32 where a permutation on the CPU fits: the same one, in half of the
        memory.
        """
        device = generator.device
        if self.weights is None:
            narrow = device.type == "cpu" and n < 2**31
            dtype = torch.int32 if narrow else torch.int64
            return torch.randperm(n, generator=generator, device=device, dtype=dtype)
        ends = self._ends.to(device)
        points = torch.rand(n, generator=generator, device=device, dtype=torch.float64)
        order = torch.searchsorted(ends, points * ends[-1], right=True)
        return order.clamp_(max=n - 1)  # where a product was rounded up

    def item_shares(self, items: Tensor, n_items: int) -> Tensor:
        """Return [n_items] float64: how often another draw of an epoch is expected to be an item.

        "Other" than a draw whose positive is a different item: a permutation leaves n - 1
        interactions for it, independent draws all n. So of P draws of an epoch, one of them a row's
        own, the P - 1 others are expected to be an item that is not the row's positive (P - 1) *
        share times.

        Args:
            items: [n] int64, the item of each interaction.
        """
        if self.weights is None:
            counts = torch.bincount(items, minlength=n_items).double()
            return counts / max(len(items) - 1, 1)
        totals = torch.zeros(n_items, dtype=torch.float64).index_add_(0, items, self.weights)
        return totals / self.weights.sum()

    @cached_property
    def _ends(self) -> Tensor:
        """[n] float64: running sums of the weights."""
        assert self.weights is not None
        return self.weights.cumsum(0)
