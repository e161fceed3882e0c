"""One seed a run; every use of chance draws from a stream of its own."""

import numpy as np
import torch

__all__ = ["INITIALISATION", "TRAINING", "VALIDATION", "generator"]

# The streams: adding one never changes what another draws.
INITIALISATION, TRAINING, VALIDATION = range(3)


def generator(seed: int, *stream: int, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator for one stream of a run, such as `(TRAINING, epoch)`.

    Distinct streams are statistically independent (numpy's SeedSequence mixes the words), and the
    same words give the same draws on one kind of device.
    """
    state = np.random.SeedSequence([seed, *stream]).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state))
