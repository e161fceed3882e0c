"""Chance inside torch's modules, of a run's own generator in place of torch's global one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

from twotower.core import seeding

__all__ = ["SeededDropout", "drawing_from"]


@contextmanager
def drawing_from(generator: Generator) -> Iterator[None]:
    """Modules that are made in it draw their first weights of `generator`.

    torch's modules draw of its global generator on the CPU, which is left as it was.
    """
    seed = seeding.draw_seed(generator)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class SeededDropout(nn.Module):
    """In training, zeros a share `dropout` of all numbers and scales the others up to make up."""

    def __init__(self, dropout: float, *, generator: Generator) -> None:
        super().__init__()
        self._dropout = dropout
        self.draws = seeding.Draws(generator)

    def forward(self, values: Tensor) -> Tensor:
        """The shape of `values`."""
        if not self.training or not self._dropout:
            return values
        kept: Tensor = self.draws(values.shape, values.device) >= self._dropout
        return values * kept / (1 - self._dropout)
