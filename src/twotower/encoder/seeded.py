"""Chance inside torch's modules, of a run's own generator in place of torch's global one."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

__all__ = ["SeededDropout", "drawing_from"]


@contextmanager
def drawing_from(generator: Generator) -> Iterator[None]:
    """Modules that are made in it draw their first weights of `generator`.

    torch's modules draw of its global generator on the CPU, which is left as it was.
    """
    seed = _draw_seed(generator)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))
        yield


class SeededDropout(nn.Module):
    """In training, zeros a share `dropout` of all numbers and scales the others up to make up.

    What it zeros follows from `seed`, a buffer that counts on with each call: training that goes on
    from a checkpoint draws what it would have drawn without the break.
    """

    seed: Tensor

    def __init__(self, dropout: float, *, generator: Generator) -> None:
        super().__init__()
        self._dropout = dropout
        self.register_buffer("seed", _draw_seed(generator))

    def forward(self, values: Tensor) -> Tensor:
        """The shape of `values`."""
        if not self.training or not self._dropout:
            return values
        generator = Generator(device=values.device).manual_seed(int(self.seed))
        self.seed += 1
        kept = torch.rand(values.shape, generator=generator, device=values.device) >= self._dropout
        return values * kept / (1 - self._dropout)


def _draw_seed(generator: Generator) -> Tensor:
    return torch.randint(2**62, (), generator=generator)
