"""The contract that every negative sampler keeps."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Generator, Tensor

from twotower.core.errors import ConfigError
from twotower.types import Negatives, TrainInteractions

__all__ = ["NegativeSampler", "check_num_negatives", "log_count", "needs_other_rows"]


class NegativeSampler(Protocol):
    """Draws negatives for a whole batch at once.

    A sampler is built from its config and, after `*`, the train part of a fold and the device on
    which it draws: it can know nothing else of the data.

    A class whose negatives are all positives of other rows says so by a static method
    `needs_other_rows`, which takes what stands before `*` in the constructor.
    """

    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """Negatives for `users` ([B] int64) and their `positives` ([B] int64).

        All tensors and the generator are on the sampler's device.
        """
        ...

    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """How often the last draw, for `users` ([B]), was expected to bring each of `items`.

        Given the row's own positive, for items that are not that positive (draws of it are not
        valid), and under `train.positives`, the distribution that positives are drawn from.

        items: [B, M], or [M] where the sampler draws one pool for the batch. Float64 of a shape
        that broadcasts to it; 0 for what cannot come. A mixture adds these up over its parts.
        """
        ...

    def fresh(self) -> "NegativeSampler":
        """The sampler for one pass over the data, which remembers nothing of any other pass."""
        return self


def check_num_negatives(num_negatives: int, train: TrainInteractions) -> None:
    """Raises ConfigError where there are fewer items than negatives asked for."""
    if num_negatives > train.n_items:
        raise ConfigError(
            f"negative_sampling.num_negatives: got {num_negatives}, but the train part has "
            f"only {train.n_items} items; valid are 1 to {train.n_items}"
        )


def needs_other_rows(sampler: Callable[..., NegativeSampler]) -> bool:
    """Whether a batch of one row has no negatives from what is, or wraps, a sampler's class.

    sampler: the class, or a functools.partial of it. False where the class does not say.
    """
    ask = getattr(getattr(sampler, "func", sampler), "needs_other_rows", None)
    if ask is None:
        return False
    return bool(ask(*getattr(sampler, "args", ()), **getattr(sampler, "keywords", {})))


def log_count(count: Tensor) -> Tensor:
    """`Negatives.log_expected_count` (float32) of expected counts.

    0 for a count of 0: what stands in such a place could not come and is not valid, or, in
    validation, has no interactions in train; either way the loss stays finite.
    """
    return torch.where(count > 0, count, 1.0).log().float()
