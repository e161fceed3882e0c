"""The data module: the batches of a fold, made on the device where the model is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch import Generator, Tensor

from twotower.core import seeding
from twotower.core.errors import DataError, errors_under
from twotower.negative_sampling import NegativeSampler
from twotower.negative_sampling.base import without_exchange
from twotower.training.batches import Batches, Chunks, EpochRows, Pasts
from twotower.types import (
    Fold,
    PositiveDistribution,
    StreamedTrain,
    TrainInteractions,
    ages_in_days,
    half_life_weights,
)

__all__ = ["FoldBatches"]


class FoldBatches(LightningDataModule):
    """The training and validation batches of a fold.

    Order and negatives of an epoch depend on the seed and the epoch's number alone. With several
    processes, each takes an equal share of one common order; up to world_size - 1 pairs, different
    ones in each epoch, are left out.
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
        chunk_size: int | None = None,
        repeats_first: bool = False,
    ) -> None:
        """Place the fold's pairs on `device`.

        Args:
            fold: Train part and holdout.
            sampler: Makes the sampler, given `train` and `device`.
            batch_size: Positives per batch.
            half_life: Days after which an interaction is drawn half as often; None for a
                permutation of all interactions.
            seed: Seed of order and negatives.
            device: Where batches are made and used.
            history_length: Items of a user's history that the model reads; None if it reads none.
            chunk_size: Batches per training step of the module; None for single ones.
            repeats_first: Whether each epoch has the order and negatives of the first, so that
                Lightning's `overfit_batches` trains on the same few again and again.

        Raises:
            DataError: If `half_life` is set and the log has no timestamps.
        """
        super().__init__()
        if half_life is not None:
            fold = replace(fold, train=_with_recency(fold.train, half_life))
        self._fold = fold
        self._history_length = history_length
        with errors_under("negative_sampling"):
            self._sampler = sampler(train=fold.train, device=device)
        self._batch_size = batch_size
        self._chunk_size = chunk_size
        self._seed = seed
        self._device = device
        self._repeats_first = repeats_first
        self._train = (fold.train.users.to(device), fold.train.items.to(device))
        self._holdout = tuple(pairs.to(device) for pairs in _known_pairs(fold))

    def train_dataloader(self) -> Batches | Chunks:
        """Return the batches of the trainer's current epoch, in chunks if the module takes them."""
        batches = self.train_batches()
        return batches if self._chunk_size is None else Chunks(batches, self._chunk_size)

    def train_batches(self) -> Batches:
        """Return the batches of the trainer's current epoch."""
        assert self.trainer is not None
        epoch, rank, world_size = (
            self.trainer.current_epoch,
            self.trainer.global_rank,
            self.trainer.world_size,
        )
        if self._repeats_first:
            epoch = 0
        users, positives = self._train
        n = len(users)
        shuffle = self._generator(seeding.TRAINING, epoch)
        draws = self._generator(seeding.TRAINING, epoch, 1 + rank)
        if isinstance(self._fold.train, StreamedTrain):
            rows = EpochRows(self._fold.train.order, shuffle, rank, world_size)
            return replace(self._batches(users, positives, draws, self._pasts(None)), rows=rows)
        order = self._fold.train.positives.draw(n, shuffle)
        order = order[rank : n - n % world_size : world_size]
        weights = self._fold.train.weights
        return self._batches(
            users[order],
            positives[order],
            draws,
            self._pasts(order),
            None if weights is None else weights.to(self._device)[order],
        )

    def _pasts(self, order: Tensor | None) -> Pasts | None:
        """Return the history before each of the interactions in `order`; None: all of them."""
        if self._history_length is None:
            return None
        train = self._fold.train
        before = None if train.before is None else train.before.to(self._device)
        if before is not None and order is not None:
            before = before[order]
        return Pasts(train.histories.to(self._device), self._history_length, before)

    def val_dataloader(self) -> Batches:
        """Return the held-out pairs that train knows, with the same negatives at each call."""
        users, positives = self._holdout
        pasts = None
        if self._history_length is not None:
            pasts = Pasts(self._fold.train_histories.to(self._device), self._history_length, None)
        batches = self._batches(users, positives, self._generator(seeding.VALIDATION), pasts)
        return replace(batches, negative_sampler=without_exchange(self._sampler))

    def transfer_batch_to_device(self, batch: Any, device: torch.device, _: int) -> Any:
        """Return the batch as it is: it was made on the device where it is used."""
        return batch

    def _generator(self, *stream: int) -> Generator:
        return seeding.generator(self._seed, *stream, device=self._device)

    def _batches(
        self,
        users: Tensor,
        positives: Tensor,
        generator: Generator,
        pasts: Pasts | None,
        weights: Tensor | None = None,
    ) -> Batches:
        return Batches(users, positives, self._sampler, self._batch_size, generator, pasts, weights)


def _with_recency(train: TrainInteractions, half_life: float) -> TrainInteractions:
    """Return `train` with positives drawn by 2^(-age / half_life), age in days."""
    if train.moments is None:
        raise DataError(
            f"trainer.half_life: got {half_life}, which needs the time of each interaction, and "
            "the log has none (dataset.timestamp_unit=order gives an order alone): set "
            "dataset.columns.timestamp, or trainer.half_life=null"
        )
    weights = half_life_weights(ages_in_days(train.moments), half_life)
    return replace(train, positives=PositiveDistribution(weights))


def _known_pairs(fold: Fold) -> tuple[Tensor, Tensor]:
    """Return [m] users and [m] items: the holdout's pairs without cold users and items."""
    relevant = fold.holdout.relevant
    users, items = fold.holdout.users[relevant.rows], relevant.items
    known = (users < fold.train.n_users) & (items < fold.train.n_items)
    return users[known], items[known]
