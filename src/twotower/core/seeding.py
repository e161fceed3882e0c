"""One seed a run; every use of chance draws from a stream of its own."""

import numpy as np
import torch

__all__ = ["INITIALISATION", "TRAINING", "VALIDATION", "Draws", "draw_seed", "generator"]

# The streams: adding one never changes what another draws.
INITIALISATION, TRAINING, VALIDATION = range(3)


def generator(seed: int, *stream: int, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a generator for one stream of a run, such as `(TRAINING, epoch)`.

    Distinct streams are statistically independent (numpy's SeedSequence mixes the words), and the
    same words produce the same draws on one kind of device.
    """
    state = np.random.SeedSequence([seed, *stream]).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state))


class Draws(torch.nn.Module):
    """Uniform numbers for a module in training, of a seed of its own.

    The number of draws is part of its state: training resumed from a checkpoint draws the same
    numbers as training that was not interrupted.
    """

    def __init__(self, source: torch.Generator) -> None:
        """Draw the seed from `source`."""
        super().__init__()
        self._seed = draw_seed(source)
        self._count = 0

    def forward(self, shape: torch.Size, device: torch.device) -> torch.Tensor:
        """Return numbers in [0, 1)."""
        stream = generator(self._seed, self._count, device=device)
        self._count += 1
        return torch.rand(shape, generator=stream, device=device)

    def get_extra_state(self) -> torch.Tensor:
        """Return the number of draws and the seed, [2] int64, for the state_dict.

        They are on the CPU, so that reading them does not wait for the device.
        """
        return torch.tensor([self._count, self._seed])

    def set_extra_state(self, state: torch.Tensor) -> None:
        self._count, self._seed = state.tolist()


def draw_seed(source: torch.Generator) -> int:
    """Draw a seed from `source`."""
    return int(torch.randint(2**62, (), generator=source))
