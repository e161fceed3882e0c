"""Which items were seen: three ways to ask, one answer."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from made_histories import CPU, make_train  # type: ignore[import-not-found]

from twotower.negative_sampling.seen import PoolValidity


@given(
    histories=st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=4),
    users=st.lists(st.integers(0, 3), max_size=6),
    pool=st.lists(st.integers(0, 5), max_size=8),
)
def test_all_look_ups_agree_with_the_histories(
    histories: list[set[int]], users: list[int], pool: list[int]
) -> None:
    train = make_train(histories, 7)
    rows = torch.tensor([user % len(histories) for user in users], dtype=torch.int64)
    items = torch.tensor(pool, dtype=torch.int64)
    truth = torch.zeros(len(rows), len(items), dtype=torch.bool)
    for row, user in enumerate(rows.tolist()):
        for place, item in enumerate(pool):
            truth[row, place] = item in histories[user]
    no_item_of_pool = torch.full((len(rows),), 6)
    mask = PoolValidity(train, CPU, exclude_seen=True)(rows, no_item_of_pool, items)
    assert torch.equal(mask.valid(), ~truth)
    searched = PoolValidity(train, CPU, exclude_seen=True).searched(rows, no_item_of_pool, items)
    assert torch.equal(searched, ~truth)
    # Next to another pool, of one item.
    scores, counts = torch.ones(len(rows), 1 + len(items)), torch.full((len(rows),), 1 + len(items))
    mask.mask_(scores, counts, 1)
    assert torch.equal(scores[:, 1:] == -torch.inf, truth)
    assert (scores[:, 0] == 1).all()
    assert torch.equal(counts, (scores == 1).sum(1))
    assert torch.equal(train.items_by_user.contains(rows, items.expand(len(rows), -1)), truth)


def test_a_pool_place_is_valid_for_whom_it_is_neither_positive_nor_seen() -> None:
    train = make_train([{0, 2}, {1}], 4)
    users, positives, pool = torch.tensor([0, 1]), torch.tensor([2, 3]), torch.tensor([0, 1, 3, 1])
    # User 0: item 0 was seen. User 1: item 1, twice in the pool, was seen, and 3 is the positive.
    assert PoolValidity(train, CPU, True)(users, positives, pool).valid().tolist() == [
        [False, True, True, True],
        [True, False, False, False],
    ]
    assert PoolValidity(train, CPU, False)(users, positives, pool).valid().tolist() == [
        [True, True, True, True],
        [True, True, False, True],
    ]
    for excludes in (True, False):
        mask = PoolValidity(train, CPU, excludes)
        searched = mask.searched(users, positives, pool)
        assert torch.equal(searched, mask.valid(users, positives, pool))
