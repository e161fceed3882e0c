"""The contract that every negative sampler keeps."""

from typing import Protocol

from torch import Generator, Tensor

from twotower.types import Negatives

__all__ = ["NegativeSampler"]


class NegativeSampler(Protocol):
    """Draws negatives for a whole batch at once.

    A sampler is built from its config and, after `*`, the train part of a fold and the device on
    which it draws: it can know nothing else of the data.
    """

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """Negatives for `users` ([B] int64) and their `positives` ([B] int64).

        All tensors and the generator are on the sampler's device.
        """
        ...
