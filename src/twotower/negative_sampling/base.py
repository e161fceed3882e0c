"""The contract of a negative sampler."""

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Protocol

import torch
from torch import Generator, Tensor

from twotower.config import Contract
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.types import Negatives, TrainInteractions

__all__ = [
    "CountedLater",
    "NegativeSampler",
    "SamplerFactory",
    "check_num_negatives",
    "log_count",
    "needs_other_rows",
    "without_exchange",
]


class NegativeSampler(Protocol):
    """Samples negatives for a whole batch at once.

    To add a sampler, write a class with the methods below and name it in a YAML file of
    `conf/negative_sampling`. Its constructor takes the YAML keys, then, after `*`, `train`
    (TrainInteractions, the train part of a fold) and `device` (torch.device, where it samples). It
    sees no other data.

    A class whose negatives are all positives of other rows declares that by a static method
    `needs_other_rows`, which takes the YAML keys and returns a bool: a batch of one row would then
    have no negatives, and `trainer.batch_size=1` is refused.

    A class that exchanges items with the other processes of a run declares a method `alone`, which
    returns the sampler for batches that every process makes, as in validation.

    A class sets `samples_by_row = True` if each row has `num_negatives` negatives of its own, which
    depend on that row and the generator alone and are drawn row after row. The negatives of several
    batches may then be sampled at once, and are the same.
    """

    @abstractmethod
    def sample(self, users: Tensor, positives: Tensor, generator: Generator) -> Negatives:
        """Sample negatives for one batch.

        All tensors and the generator are on the sampler's device, and all randomness comes from the
        generator.

        Args:
            users: [B] int64.
            positives: [B] int64, the item of each row's interaction.
            generator: Source of randomness.

        Returns:
            `items`, [B, N] int64 for own negatives per row or [N] for one pool per batch;
            `log_expected_count`, float32 of the same shape, the log of `expected_count` of each
            item; and `valid`, [B, N] bool, False for the row's positive and for every item that
            must not count against the row. Places that are not valid may hold any item.
        """
        ...

    @abstractmethod
    def expected_count(self, users: Tensor, items: Tensor) -> Tensor:
        """Return how often the last sample was expected to contain each item.

        The count is exact, conditional on the row's own positive, for items other than that
        positive (whose samples are not valid), and under `train.positives`, the distribution from
        which positives are drawn. A mixture adds the counts of its components.

        Args:
            users: [B] int64, those of the last sample.
            items: [B, M] int64, or [M] if the sampler draws one pool per batch.

        Returns:
            Float64 that broadcasts to the shape of `items`; 0 for items that cannot be sampled.
        """
        ...

    def fresh(self) -> "NegativeSampler":
        """Return the sampler for one pass over the data, without memory of any other pass.

        A sampler without memory returns itself, the default.
        """
        return self


# What a node of the group `negative_sampling` is instantiated as.
SamplerFactory = Annotated[
    Callable[..., NegativeSampler], Contract(NegativeSampler, given=("train", "device"))
]


class CountedLater(Negatives):
    """Negatives whose `log_expected_count` is computed when it is asked for: few losses read it."""

    def __init__(self, items: Tensor, count: Callable[[], Tensor], valid: Tensor) -> None:
        """Take `items` and `valid`, both [B, N], and what returns `log_expected_count`."""
        given = {"items": items, "valid": valid, "hardest": None, "count": count}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    count: Callable[[], Tensor]

    @cached_property
    def log_expected_count(self) -> Tensor:
        """[B, N] float32; see Negatives."""
        return self.count()


def check_num_negatives(num_negatives: int, train: TrainInteractions) -> None:
    """Raise ConfigError if `num_negatives` is more than the number of items in `train`."""
    if num_negatives > train.n_items:
        wrong = f"but the train part has only {train.n_items} items"
        valid = f"must be from 1 to {train.n_items}"
        raise ConfigError(ErrorEntry("num_negatives", num_negatives, wrong, valid))


def needs_other_rows(sampler: Callable[..., NegativeSampler]) -> bool:
    """Return whether all negatives of a sampler are positives of other rows.

    Args:
        sampler: The sampler's class, or a functools.partial of it.

    Returns:
        What the class declares by `needs_other_rows`; False if it has no such method.
    """
    ask = getattr(getattr(sampler, "func", sampler), "needs_other_rows", None)
    if ask is None:
        return False
    return bool(ask(*getattr(sampler, "args", ()), **getattr(sampler, "keywords", {})))


def without_exchange(sampler: NegativeSampler) -> NegativeSampler:
    """Return the sampler for batches that every process of a run makes, as in validation.

    What the class declares by `alone`; the sampler itself if it has no such method.
    """
    alone: Callable[[], NegativeSampler] | None = getattr(sampler, "alone", None)
    return sampler if alone is None else alone()


def log_count(count: Tensor) -> Tensor:
    """Return `Negatives.log_expected_count` (float32) for expected counts.

    A count of 0 gives 0, so that the loss stays finite: such a place is not valid or, in
    validation, holds an item without train interactions.
    """
    return torch.where(count > 0, count, 1.0).log().float()
