"""Cross-batch negatives: a memory of ids, which lasts for one epoch."""

from __future__ import annotations

import math
from functools import partial
from types import SimpleNamespace

import polars as pl
import pytest
import torch
from made_histories import CPU, make_train  # type: ignore[import-not-found]

from twotower.core import seeding
from twotower.negative_sampling import CrossBatchSampler
from twotower.training.batches import Batches
from twotower.training.fold_batches import FoldBatches
from twotower.types import Fold, Holdout, ItemLists, Vocabulary

# 10 interactions; counts are 4, 3, 2, 1.
TRAIN = make_train([{0, 1, 2, 3}, {0, 1, 2}, {0, 1}, {0}], 4)


def test_the_pool_is_the_last_batches_oldest_first() -> None:
    sampler = CrossBatchSampler(2, False, train=TRAIN, device=CPU)
    generator = seeding.generator(0)
    pools = []
    for positives in ([0, 1], [2], [3, 0]):
        rows = torch.tensor(positives)
        pools.append(sampler.sample(torch.zeros_like(rows), rows, generator))
    assert [pool.items.tolist() for pool in pools] == [[0, 1], [0, 1, 2], [2, 3, 0]]
    # 2 other places: items 2, 3 and 0 have 2, 1 and 4 of the 9 other interactions.
    expected = [math.log(2 * count / 9) for count in (2, 1, 4)]
    assert pools[2].log_expected_count.tolist() == pytest.approx(expected)
    assert pools[2].valid is not None
    assert pools[2].valid.tolist() == [[True, False, True], [True, True, False]]


def test_what_the_user_has_seen_is_masked_in_older_batches_too() -> None:
    sampler = CrossBatchSampler(2, True, train=TRAIN, device=CPU)
    generator = seeding.generator(0)
    for user, item in ((0, 3), (2, 1)):
        drawn = sampler.sample(torch.tensor([user]), torch.tensor([item]), generator)
    # User 2 has seen 0 and 1; item 3 of the batch before is new to it.
    assert drawn.items.tolist() == [3, 1]
    assert drawn.valid is not None
    assert drawn.valid.tolist() == [[True, False]]


def fold_batches() -> FoldBatches:
    nothing = ItemLists(torch.tensor([0, 0]), torch.zeros(0, dtype=torch.int64))
    held_out = ItemLists(torch.tensor([0, 2]), torch.tensor([2, 3]))
    fold = Fold(
        Vocabulary(pl.Series(range(4)), pl.Series(range(4))),
        TRAIN,
        Holdout(torch.tensor([2]), held_out, nothing),
        TRAIN.histories,
    )
    sampler = partial(CrossBatchSampler, 3, False)
    return FoldBatches(
        fold, sampler, batch_size=2, half_life=None, seed=0, device=CPU, history_length=None
    )


def epoch(batches: FoldBatches, number: int) -> Batches:
    batches.trainer = SimpleNamespace(  # type: ignore[assignment]
        current_epoch=number, global_rank=0, world_size=1
    )
    return batches.train_batches()


def pools(batches: Batches) -> list[list[int]]:
    return [batch.negatives.items.tolist() for batch in batches]


def test_an_epoch_begins_with_an_empty_memory_whatever_came_before() -> None:
    resumed = pools(epoch(fold_batches(), 1))
    assert [len(pool) for pool in resumed] == [2, 4, 6, 6, 6]  # 10 pairs, 2 a batch, 3 batches
    batches = fold_batches()
    first = pools(epoch(batches, 0))
    assert pools(epoch(batches, 1)) == resumed
    assert first != resumed


def test_a_validation_amid_an_epoch_leaves_its_memory_alone() -> None:
    batches = fold_batches()
    undisturbed = pools(epoch(batches, 0))
    disturbed = []
    for batch in epoch(batches, 0):
        disturbed.append(batch.negatives.items.tolist())
        assert pools(batches.val_dataloader()) == [[2, 3]]
    assert disturbed == undisturbed
