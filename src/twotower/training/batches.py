"""Batches: slices of permuted tensors, with negatives drawn for the whole batch at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Generator, Tensor

from twotower import seeding
from twotower.negative_sampling import NegativeSampler
from twotower.types import Fold, Negatives

__all__ = ["Batch", "Batches", "FoldBatches"]


class Batch(NamedTuple):
    """users, positives: [B] int64; the negatives drawn for them."""

    users: Tensor
    positives: Tensor
    negatives: Negatives


@dataclass(frozen=True)
class Batches:
    """One pass over positive pairs, in their order.

    users, positives: [n] int64, on the device of the sampler and the generator.
    """

    users: Tensor
    positives: Tensor
    negative_sampler: NegativeSampler
    batch_size: int
    generator: Generator

    def __len__(self) -> int:
        return -(-len(self.users) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        sampler = self.negative_sampler.fresh()  # a pass depends on no other one
        for start in range(0, len(self.users), self.batch_size):
            users = self.users[start : start + self.batch_size]
            positives = self.positives[start : start + self.batch_size]
            yield Batch(users, positives, sampler.sample(users, positives, self.generator))


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
        seed: int,
        device: torch.device,
    ) -> None:
        super().__init__()
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
        order = torch.randperm(n, generator=shuffle, device=self._device)
        order = order[rank : n - n % world_size : world_size]
        draws = self._generator(seeding.TRAINING, epoch, 1 + rank)
        return self._batches(users[order], positives[order], draws)

    def val_dataloader(self) -> Batches:
        """The held-out pairs that the model can score, with the same negatives at each call."""
        users, positives = self._holdout
        return self._batches(users, positives, self._generator(seeding.VALIDATION))

    def transfer_batch_to_device(self, batch: Any, device: torch.device, _: int) -> Any:
        """Batches are drawn on the device where they are used."""
        return batch

    def _generator(self, *stream: int) -> Generator:
        return seeding.generator(self._seed, *stream, device=self._device)

    def _batches(self, users: Tensor, positives: Tensor, generator: Generator) -> Batches:
        return Batches(users, positives, self._sampler, self._batch_size, generator)


def _known_pairs(fold: Fold) -> tuple[Tensor, Tensor]:
    """[m] users, [m] items: the holdout's pairs without cold users and items."""
    relevant = fold.holdout.relevant
    users, items = fold.holdout.users[relevant.rows], relevant.items
    known = (users < fold.train.n_users) & (items < fold.train.n_items)
    return users[known], items[known]
