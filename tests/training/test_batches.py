"""Batches of a fold: shares of several processes, and what an epoch's order depends on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import polars as pl
import pytest
import torch

from twotower.core.errors import DataError
from twotower.negative_sampling import UniformSampler
from twotower.training.batches import Batches
from twotower.training.fold_batches import FoldBatches
from twotower.types import Fold, Holdout, ItemLists, TrainInteractions, Vocabulary

# 11 pairs of 3 users and 7 items; user 3 and item 7 of the holdout are cold to them.
PAIRS = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (1, 4), (1, 5), (2, 4), (2, 5), (2, 6)]
Pairs = list[tuple[int, int]]


def fold() -> Fold:
    users, items = torch.tensor(PAIRS).T
    train = TrainInteractions(users, items, 3, 7)
    judged = torch.tensor([0, 1, 3])
    # Held out: (0, 6), (0, 7), (1, 0), (3, 1); the rows are those of `judged`.
    relevant = ItemLists.from_pairs(torch.tensor([0, 0, 1, 2]), torch.tensor([6, 7, 0, 1]), 3)
    nothing = ItemLists(torch.zeros(4, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    vocabulary = Vocabulary(pl.Series(range(3)), pl.Series(range(7)))
    return Fold(vocabulary, train, Holdout(judged, relevant, nothing), train.histories)


def batches(
    made: Fold | None = None,
    /,
    *,
    seed: int = 0,
    epoch: int = 0,
    rank: int = 0,
    world_size: int = 1,
    batch_size: int = 4,
    half_life: float | None = None,
    history_length: int | None = None,
) -> FoldBatches:
    drawn = FoldBatches(
        fold() if made is None else made,
        partial(UniformSampler, 2, True),
        batch_size=batch_size,
        half_life=half_life,
        seed=seed,
        device=torch.device("cpu"),
        history_length=history_length,
    )
    drawn.trainer = SimpleNamespace(  # type: ignore[assignment]
        current_epoch=epoch, global_rank=rank, world_size=world_size
    )
    return drawn


def pairs(epoch: Batches) -> Pairs:
    return [
        pair
        for batch in epoch
        for pair in zip(batch.users.tolist(), batch.positives.tolist(), strict=True)
    ]


def negatives(epoch: Batches) -> list[list[int]]:
    return [row for batch in epoch for row in batch.negatives.items.tolist()]


def train_pairs(**keys: int) -> Pairs:
    return pairs(batches(**keys).train_batches())


def test_an_epoch_is_all_pairs_in_batches_of_one_size_and_a_rest() -> None:
    epoch = batches().train_batches()
    assert [len(batch.users) for batch in epoch] == [4, 4, 3]  # 11 pairs
    assert len(epoch) == 3
    assert sorted(train_pairs()) == PAIRS


def test_order_depends_on_seed_and_epoch_alone() -> None:
    one = train_pairs(seed=1, epoch=2)
    assert one == train_pairs(seed=1, epoch=2, batch_size=11)
    assert one != train_pairs(seed=1, epoch=3)
    assert one != train_pairs(seed=2, epoch=2)


def test_negatives_are_new_in_each_epoch_and_the_same_for_one_seed() -> None:
    first, again, second = (
        negatives(batches(epoch=epoch, batch_size=11).train_batches()) for epoch in (0, 0, 1)
    )
    assert first == again
    assert first != second


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_processes_take_disjoint_shares_of_one_size(world_size: int) -> None:
    shares = [train_pairs(rank=rank, world_size=world_size) for rank in range(world_size)]
    assert {len(share) for share in shares} == {11 // world_size}
    together = sorted(pair for share in shares for pair in share)
    assert len(set(together)) == len(together)  # the pairs of PAIRS are distinct
    assert set(together) <= set(PAIRS)


def test_other_pairs_sit_out_in_other_epochs() -> None:
    # 11 pairs for 2 processes: one is left over, over 30 epochs not always the same.
    left = set()
    for epoch in range(30):
        shares = [train_pairs(epoch=epoch, rank=rank, world_size=2) for rank in (0, 1)]
        left |= set(PAIRS) - set(shares[0] + shares[1])
    assert len(left) > 5


def test_processes_draw_negatives_of_their_own() -> None:
    ours, theirs = (
        negatives(batches(rank=rank, world_size=2, batch_size=5).train_batches()) for rank in (0, 1)
    )
    assert ours != theirs


def test_validation_is_the_pairs_that_can_be_scored_with_fixed_negatives() -> None:
    held_out = batches(epoch=1)
    assert pairs(held_out.val_dataloader()) == [(0, 6), (1, 0)]
    later = batches(epoch=5)
    assert negatives(held_out.val_dataloader()) == negatives(later.val_dataloader())


def test_with_a_half_life_newer_interactions_come_more_often() -> None:
    """Ages of 0, 1 and 2 half-lives: shares of 4, 2 and 1 of 7; all three in as many draws."""
    day = 86_400 * 1_000_000
    times = torch.tensor([0, 3, 6]).repeat_interleave(1000) * day
    n = len(times)
    train = TrainInteractions(torch.zeros_like(times), torch.arange(n), 1, n, times)
    drawn = batches(replace(fold(), train=train), batch_size=n, half_life=3.0)
    (batch,) = drawn.train_batches()
    assert len(batch.users) == n
    # Standard errors are below sqrt(3000) / 2 = 27.4.
    oldest, middle, newest = torch.bincount(batch.positives // 1000, minlength=3).tolist()
    assert (oldest, middle, newest) == pytest.approx((3000 / 7, 6000 / 7, 12000 / 7), abs=110)


def test_a_half_life_needs_timestamps() -> None:
    with pytest.raises(DataError, match=r"trainer.half_life: got 3.0, which needs the time"):
        batches(half_life=3.0)


def test_a_validation_of_cold_pairs_alone_is_one_batch_in_length() -> None:
    # Lightning skips a validation of no batches; what is ranked is not of these batches.
    holdout = fold().holdout
    cold = replace(holdout, users=torch.tensor([3, 4, 5]))
    drawn = batches(replace(fold(), holdout=cold))
    assert len(drawn.val_dataloader()) == 1
    assert list(drawn.val_dataloader()) == []


# --- what users had met

# Of user 0, in order of time: items 0, 1 and 2 at one moment, 0 again, 3. Of user 1: 4, 5.
TIMED = [(0, 0, 1), (1, 4, 1), (0, 1, 2), (0, 2, 2), (1, 5, 3), (0, 0, 4), (0, 3, 5)]


def pasts(timestamps: bool, length: int) -> dict[tuple[int, int], set[tuple[int, ...]]]:
    """What a model is shown as the past of each positive, in one epoch; the newest is last."""
    users, items, times = torch.tensor(TIMED).T
    train = TrainInteractions(users, items, 2, 7, times if timestamps else None)
    made = replace(fold(), train=train, histories=train.histories)
    drawn = batches(made, batch_size=3, history_length=length)
    shown: dict[tuple[int, int], set[tuple[int, ...]]] = defaultdict(set)
    for batch in drawn.train_batches():
        assert batch.past is not None
        assert batch.past.items.shape == (len(batch.users), length)
        rows = zip(batch.users, batch.positives, batch.past.items, batch.past.valid, strict=True)
        for user, positive, met, valid in rows:
            shown[int(user), int(positive)].add(tuple(met[valid].tolist()))
    return shown


def test_a_positive_is_shown_with_what_came_before_it_alone() -> None:
    # Items of one moment are not before each other; item 0 was met before it was met again.
    assert pasts(timestamps=True, length=4) == {
        (0, 0): {(), (0, 1, 2)},
        (0, 1): {(0,)},
        (0, 2): {(0,)},
        (0, 3): {(0, 1, 2, 0)},
        (1, 4): {()},
        (1, 5): {(4,)},
    }


def test_the_newest_items_are_read_where_a_past_is_longer() -> None:
    shown = pasts(timestamps=True, length=2)
    assert shown[0, 3] == {(2, 0)}
    assert shown[0, 0] == {(), (1, 2)}


def test_without_timestamps_a_positive_is_no_part_of_its_own_past() -> None:
    shown = pasts(timestamps=False, length=9)
    assert {key: {frozenset(past) for past in seen} for key, seen in shown.items()} == {
        (0, 0): {frozenset({1, 2, 3})},
        (0, 1): {frozenset({0, 2, 3})},
        (0, 2): {frozenset({0, 1, 3})},
        (0, 3): {frozenset({0, 1, 2})},
        (1, 4): {frozenset({5})},
        (1, 5): {frozenset({4})},
    }


def test_held_out_pairs_are_shown_with_all_that_their_users_had_met() -> None:
    drawn = batches()
    shown = batches(batch_size=8, history_length=5)
    assert next(iter(drawn.val_dataloader())).past is None
    # The pairs (0, 6) and (1, 0): users 0 and 1 had met 0 to 3 and 2 to 5.
    past = next(iter(shown.val_dataloader())).past
    assert past is not None
    met = [set(row[valid].tolist()) for row, valid in zip(past.items, past.valid, strict=True)]
    assert met == [{0, 1, 2, 3}, {2, 3, 4, 5}]


@pytest.mark.parametrize("half_life", [None, 2.0])
def test_weights_follow_their_interactions(half_life: float | None) -> None:
    made = fold()
    days = torch.arange(len(PAIRS)) * 86_400 * 1_000_000
    weights = torch.arange(len(PAIRS)).float()
    train = replace(made.train, weights=weights, timestamps=days)
    epoch = batches(replace(made, train=train), half_life=half_life).train_batches()
    by_pair = dict(zip(PAIRS, weights.tolist(), strict=True))
    found = [weight for batch in epoch for weight in batch.weights.tolist()]  # type: ignore[union-attr]
    assert found == [by_pair[pair] for pair in pairs(epoch)]
    assert len(found) == len(PAIRS)


def test_validation_has_no_weights() -> None:
    made = fold()
    made = replace(made, train=replace(made.train, weights=torch.ones(len(PAIRS))))
    assert all(batch.weights is None for batch in batches(made).val_dataloader())
    assert all(batch.weights is None for batch in batches().train_batches())
