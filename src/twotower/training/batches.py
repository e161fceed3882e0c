"""Batches: slices of permuted tensors, with negatives drawn for the whole batch at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Generator, Tensor

from twotower.core import seeding
from twotower.core.errors import DataError
from twotower.negative_sampling import NegativeSampler
from twotower.types import (
    Fold,
    Histories,
    Negatives,
    Past,
    PositiveDistribution,
    TrainInteractions,
)

__all__ = ["Batch", "Batches", "FoldBatches"]

_MICROSECONDS_A_DAY = 86_400 * 1_000_000


class Batch(NamedTuple):
    """users, positives: [B] int64; the negatives drawn for them, and what the users had met."""

    users: Tensor
    positives: Tensor
    negatives: Negatives
    past: Past | None


@dataclass(frozen=True)
class Pasts:
    """What users had met before each of n positives, for models that read it.

    histories: of all users; length: how many of the newest items are read.
    before: [n] int64, how many of the user's items came before the positive. None: all did, or
        nobody knows; then the positive itself is left out of its own past.
    """

    histories: Histories
    length: int
    before: Tensor | None

    def of(self, users: Tensor, positives: Tensor, rows: slice) -> Past:
        """[B] of the positives that stand in `rows` of all."""
        before = None if self.before is None else self.before[rows]
        past = self.histories.latest(users, self.length, before)
        if self.before is None:
            return Past(past.items, past.valid & (past.items != positives[:, None]))
        return past


@dataclass(frozen=True)
class Batches:
    """One pass over positive pairs, in their order.

    users, positives: [n] int64, on the device of the sampler and the generator, as are `pasts`.
    """

    users: Tensor
    positives: Tensor
    negative_sampler: NegativeSampler
    batch_size: int
    generator: Generator
    pasts: Pasts | None

    def __len__(self) -> int:
        # At least 1: Lightning would skip a validation without batches, and with it the ranking of
        # users or items that are all cold.
        return max(1, -(-len(self.users) // self.batch_size))

    def __iter__(self) -> Iterator[Batch]:
        sampler = self.negative_sampler.fresh()  # a pass depends on no other one
        for start in range(0, len(self.users), self.batch_size):
            rows = slice(start, start + self.batch_size)
            users, positives = self.users[rows], self.positives[rows]
            negatives = sampler.sample(users, positives, self.generator)
            past = self.pasts.of(users, positives, rows) if self.pasts else None
            yield Batch(users, positives, negatives, past)


class FoldBatches(pl.LightningDataModule):
    """The batches of a fold, drawn where the model is trained.

    Order and negatives of an epoch depend on the seed and the epoch's number alone. With several
    processes each takes its own share of one common order, all of one size: up to world_size - 1
    pairs, other ones each epoch, sit out.
    """

    def __init__(
        self,
        fold: Fold,
        sampler: Callable[..., NegativeSampler],
        *,
        batch_size: int,
        half_life: float | None,
        seed: int,
        device: torch.device,
        history_length: int | None,
    ) -> None:
        """half_life: see conf/trainer; history_length: how many items of a user's past the model
        reads, None: it does not. Raises DataError where a half-life meets a log without times."""
        super().__init__()
        if half_life is not None:
            fold = replace(fold, train=_with_recency(fold.train, half_life))
        self._fold = fold
        self._history_length = history_length
        self._sampler = sampler(train=fold.train, device=device)
        self._batch_size = batch_size
        self._seed = seed
        self._device = device
        self._train = (fold.train.users.to(device), fold.train.items.to(device))
        self._holdout = tuple(pairs.to(device) for pairs in _known_pairs(fold))

    def train_dataloader(self) -> Batches:
        """The batches of the trainer's current epoch."""
        assert self.trainer is not None
        epoch, rank, world_size = (
            self.trainer.current_epoch,
            self.trainer.global_rank,
            self.trainer.world_size,
        )
        users, positives = self._train
        n = len(users)
        shuffle = self._generator(seeding.TRAINING, epoch)
        order = self._fold.train.positives.draw(n, shuffle)
        order = order[rank : n - n % world_size : world_size]
        draws = self._generator(seeding.TRAINING, epoch, 1 + rank)
        return self._batches(users[order], positives[order], draws, self._train_pasts(order))

    def _train_pasts(self, order: Tensor) -> Pasts | None:
        """What came before each of the interactions in `order`."""
        if self._history_length is None:
            return None
        train = self._fold.train
        before = None if train.before is None else train.before.to(self._device)[order]
        return Pasts(train.histories.to(self._device), self._history_length, before)

    def val_dataloader(self) -> Batches:
        """The held-out pairs that the model can score, with the same negatives at each call."""
        users, positives = self._holdout
        pasts = None
        if self._history_length is not None:
            pasts = Pasts(self._fold.train_histories.to(self._device), self._history_length, None)
        return self._batches(users, positives, self._generator(seeding.VALIDATION), pasts)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, _: int) -> Any:
        """Batches are drawn on the device where they are used."""
        return batch

    def _generator(self, *stream: int) -> Generator:
        return seeding.generator(self._seed, *stream, device=self._device)

    def _batches(
        self, users: Tensor, positives: Tensor, generator: Generator, pasts: Pasts | None
    ) -> Batches:
        return Batches(users, positives, self._sampler, self._batch_size, generator, pasts)


def _with_recency(train: TrainInteractions, half_life: float) -> TrainInteractions:
    """The same, its positives drawn by 2^(-age / half_life), age in days from the newest one."""
    if train.moments is None:
        raise DataError(
            f"trainer.half_life: got {half_life}, which needs the time of each interaction, and "
            "the log has none (dataset.timestamp_unit=order gives an order alone): set "
            "dataset.columns.timestamp, or trainer.half_life=null"
        )
    ages = (train.moments.max() - train.moments).double() / _MICROSECONDS_A_DAY
    return replace(train, positives=PositiveDistribution((-ages / half_life).exp2()))


def _known_pairs(fold: Fold) -> tuple[Tensor, Tensor]:
    """[m] users, [m] items: the holdout's pairs without cold users and items."""
    relevant = fold.holdout.relevant
    users, items = fold.holdout.users[relevant.rows], relevant.items
    known = (users < fold.train.n_users) & (items < fold.train.n_items)
    return users[known], items[known]
