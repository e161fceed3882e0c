"""Randomness of torch's modules, from a run's own generator instead of the global one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from twotower.core import seeding

__all__ = ["SeededDropout", "drawing_from"]


@contextmanager
def drawing_from(generator: Generator) -> Iterator[None]:
    """Initialise the modules that are built inside the context from `generator`.

    torch's modules draw from its global CPU generator, whose state is restored on exit.
    """
    seed = seeding.draw_seed(generator)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class SeededDropout(nn.Module):
    """Dropout with a seeded generator: zeros a share of all values and scales up the others."""

    def __init__(self, dropout: float, *, generator: Generator) -> None:
        super().__init__()
        self._dropout = dropout
        self.draws = seeding.Draws(generator)

    def forward(self, values: Tensor) -> Tensor:
        """Return a tensor of the shape of `values`."""
        if not self.training or not self._dropout:
            return values
        kept: Tensor = self.draws(values.shape, values.device) >= self._dropout
        return values * kept / (1 - self._dropout)
