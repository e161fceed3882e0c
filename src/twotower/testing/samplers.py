"""The contract of a negative sampler: what it draws, and how often it says that it does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import polars as pl
import torch
from scipy.stats import chi2
from torch import Generator, Tensor

from twotower.loss import SampledSoftmax
from twotower.negative_sampling import NegativeSampler
from twotower.testing.expect import expect, expect_close
from twotower.training.batches import Batches
from twotower.training.fold_batches import FoldBatches
from twotower.types import (
    Fold,
    Holdout,
    ItemLists,
    Negatives,
    Scores,
    TrainInteractions,
    Vocabulary,
)

__all__ = ["CHECKS", "N_ITEMS", "check_frequencies", "check_sampler", "check_train_part"]

# What makes a sampler: called with `train` and `device`.
Make = Callable[..., NegativeSampler]

# 5 users and 8 items; user 3 has seen every item, user 4 all but one.
SEEN = {0: [0, 1], 1: [0, 2, 7], 2: [5], 3: [0, 1, 2, 3, 4, 5, 6, 7], 4: [0, 1, 2, 3, 4, 5, 6]}
N_ITEMS = 8
TRAIN = TrainInteractions(
    users=torch.tensor([user for user, items in SEEN.items() for _ in items]),
    items=torch.tensor([item for items in SEEN.values() for item in items]),
    n_users=len(SEEN),
    n_items=N_ITEMS,
)
_RARE = 1e-3  # of 1,000 right samplers one fails by chance; seeds are fixed, so always the same


def check_sampler(make: Make, *, exclude_seen: bool = False) -> None:
    """Check a sampler.

    Args:
        make: Makes the sampler from `train` and `device`, such as
            `functools.partial(MySampler, num_negatives=5)`; it may draw up to 8 negatives.
        exclude_seen: Whether no item of the user's train history may count, not the positive alone.

    Raises:
        AssertionError: The sampler breaks the contract `NegativeSampler`.

    >>> from functools import partial
    >>> from twotower.negative_sampling import UniformSampler
    >>> check_sampler(partial(UniformSampler, 5, exclude_seen=True), exclude_seen=True)
    """
    for check in CHECKS:
        check(make, exclude_seen)
    check_train_part(make, exclude_seen, TRAIN, seed=3)
    for half_life in (None, 2.0):
        check_frequencies(make, exclude_seen, half_life=half_life)


def made(make: Make, train: TrainInteractions = TRAIN) -> NegativeSampler:
    """Return the sampler for a train part, on the CPU."""
    return make(train=train, device=torch.device("cpu"))


def batch(size: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return [B] users and [B] positives: interactions of the train part."""
    rows = torch.randint(len(TRAIN), (size,), generator=generator)
    return TRAIN.users[rows], TRAIN.items[rows]


def validity(negatives: Negatives, users: Tensor) -> Tensor:
    """Return [B, N] bool."""
    shape = (len(users), negatives.items.shape[-1])
    return torch.ones(shape, dtype=torch.bool) if negatives.valid is None else negatives.valid


def check_shapes(make: Make, exclude_seen: bool) -> None:
    """Check shapes and types of a draw."""
    generator = torch.Generator().manual_seed(0)
    users, positives = batch(12, generator)
    drawn = made(make).sample(users, positives, generator)
    items, log_count, valid = drawn.items, drawn.log_expected_count, drawn.valid
    expect(items.dtype == torch.int64, f"items: must be int64, got {items.dtype}")
    own = items.dim() == 2 and items.shape[0] == len(users)
    expect(items.dim() == 1 or own, f"items: must be [N] or [B, N], got {list(items.shape)}")
    in_range = int(items.min()) >= 0 and int(items.max()) < N_ITEMS
    expect(in_range, "items: must be row numbers of items")
    same = log_count.shape == items.shape and log_count.dtype == torch.float32
    expect(same, "log_expected_count: must be float32 of the shape of items")
    expect(log_count.isfinite().all(), "log_expected_count: must be finite")
    if valid is not None:
        right = valid.dtype == torch.bool and valid.shape == (len(users), items.shape[-1])
        expect(right, "valid: must be [B, N] bool")


def check_valid_negatives(make: Make, exclude_seen: bool) -> None:
    """Check that no negative that counts is the positive or, where asked, was seen."""
    generator = torch.Generator().manual_seed(1)
    sampler = made(make)
    seen = torch.zeros(TRAIN.n_users, N_ITEMS, dtype=torch.bool)
    seen[TRAIN.users, TRAIN.items] = True
    found_valid = False
    for _ in range(20):
        users, positives = batch(64, generator)
        negatives = sampler.sample(users, positives, generator)
        valid = validity(negatives, users)
        items = negatives.items.expand(valid.shape)
        hits = valid & (items == positives[:, None])
        expect(not hits.any(), "valid: must be False where a negative is the row's positive")
        known = valid & seen[users[:, None], items]
        expect(not exclude_seen or not known.any(), "valid: must be False for seen items")
        found_valid |= bool(valid.any())
    expect(found_valid, "valid: no negative of 1,280 rows counts")


def check_users_without_negatives(make: Make, exclude_seen: bool) -> None:
    """Check that a user who has seen everything has no negatives."""
    users, positives = torch.tensor([3, 3, 0]), torch.tensor([0, 7, 1])
    negatives = made(make).sample(users, positives, torch.Generator().manual_seed(2))
    valid = validity(negatives, users)[:2]
    expect(not exclude_seen or not valid.any(), "valid: must be False if a user has seen all items")


def check_seeds(make: Make, exclude_seen: bool) -> None:
    """Check that the generator alone decides what is drawn."""
    sampler = made(make)
    one, same, other = (
        sampler.fresh().sample(TRAIN.users, TRAIN.items, torch.Generator().manual_seed(seed))
        for seed in (4, 4, 5)
    )
    equal = torch.equal(one.items, same.items)
    equal &= torch.equal(one.log_expected_count, same.log_expected_count)
    expect(equal, "sample: two generators of one seed must give one draw")
    if one.items.dim() == 2:  # a pool may be the batch itself
        differs = not torch.equal(one.items, other.items)
        expect(differs, "sample: generators of two seeds give the same draw")


def check_fresh(make: Make, exclude_seen: bool) -> None:
    """Check that a fresh sampler remembers no other pass."""

    def two_batches(sampler: NegativeSampler) -> list[list[int]]:
        generator = torch.Generator().manual_seed(8)
        draws = [sampler.sample(*batch(5, generator), generator) for _ in range(2)]
        return [draw.items.tolist() for draw in draws]

    sampler = made(make)
    first = two_batches(sampler.fresh())
    two_batches(sampler)
    same = two_batches(sampler.fresh()) == first
    expect(same, "fresh: must return a sampler that remembers no earlier pass")


def check_expected_counts(make: Make, exclude_seen: bool) -> None:
    """Check that a draw has the expected counts of its sampler."""
    generator = torch.Generator().manual_seed(9)
    sampler = made(make)
    users, positives = batch(30, generator)
    drawn = sampler.sample(users, positives, generator)
    counts = sampler.expected_count(users, drawn.items)
    expect(counts.dtype == torch.float64, f"expected_count: must be float64, got {counts.dtype}")
    counts = counts.expand(drawn.items.shape)
    if drawn.items.dim() == 2:  # nothing is known of places that do not count
        valid = validity(drawn, users)
        counts = counts.where(valid, drawn.log_expected_count.double().exp())
    message = "log_expected_count: must be the log of expected_count"
    expect_close(drawn.log_expected_count, counts.log().float(), message)


def check_train_part(make: Make, exclude_seen: bool, train: TrainInteractions, seed: int) -> None:
    """Check that seen items never count and that expected counts add up to the number of places.

    N places hold N items: so many are expected of all items together, where any can come.
    """
    generator = torch.Generator().manual_seed(seed)
    sampler = made(make, train)
    negatives = sampler.sample(train.users, train.items, generator)
    valid = validity(negatives, train.users)
    items = negatives.items.expand(valid.shape)
    seen = torch.zeros(train.n_users, train.n_items, dtype=torch.bool)
    seen[train.users, train.items] = True
    known = valid & seen[train.users[:, None], items]
    expect(not exclude_seen or not known.any(), "valid: must be False for seen items")
    every = torch.arange(train.n_items)
    places = torch.tensor(float(items.shape[1]), dtype=torch.float64)
    message = "expected_count: over all items it must add up to the number of places"
    if negatives.items.dim() == 1:
        counts = sampler.expected_count(train.users, every).expand(every.shape)
        expect_close(counts.sum(), places, message)
        return
    counts = sampler.expected_count(train.users, every.expand(len(train), -1))
    counts = counts.expand(len(train), -1)
    some = valid.any(dim=1)
    expect_close(counts.sum(1)[some], places.expand(int(some.sum())), message)
    left_out = not exclude_seen or not counts[seen[train.users]].any()
    expect(left_out, "expected_count: must be 0 for seen items")


def check_softmax_gradient(make: Make, exclude_seen: bool) -> None:
    """Check that the gradient of the corrected sampled softmax tends to the exact one.

    K draws together are a pool of K times the size, each item expected K times as often. As K
    grows, the gradient tends to that over all items that count, its error falling like 1 / sqrt(K):
    256 times the draws, about a 16th of the error.
    """
    users, positives = torch.tensor([0, 1, 2, 4]), torch.tensor([1, 2, 5, 0])
    counts_at_all = torch.ones(len(users), N_ITEMS, dtype=torch.bool)
    if exclude_seen:
        for row, user in enumerate(users.tolist()):
            counts_at_all[row, SEEN[user]] = False
    counts_at_all[torch.arange(len(users)), positives] = False
    generator = torch.Generator().manual_seed(11)
    scored = torch.randn(len(users), N_ITEMS, generator=generator, dtype=torch.float64)
    loss = SampledSoftmax(temperature=0.7, logq_correction=True)

    def gradient(items: Tensor, log_count: Tensor) -> Tensor:
        leaf = scored.clone().requires_grad_()
        items = items.expand(len(users), -1)
        value = loss(
            Scores(
                positive=leaf.gather(1, positives[:, None])[:, 0],
                negative=leaf.gather(1, items),
                valid=counts_at_all.gather(1, items),
                log_expected_count=log_count,
            )
        )
        return torch.autograd.grad(value, leaf)[0]

    exact = gradient(torch.arange(N_ITEMS), torch.zeros(N_ITEMS))
    sampler = made(make)

    def error(n_draws: int) -> float:
        draws = []
        for _ in range(n_draws):
            fresh = sampler.fresh()
            # A pool is that of a random batch, as in training; own negatives are those of the rows.
            rows = batch(16, generator) if pooled else (users, positives)
            draws.append(fresh.sample(*rows, generator))
        items = torch.cat([draw.items for draw in draws], -1)
        log_count = torch.cat([draw.log_expected_count for draw in draws], -1).double()
        sampled = gradient(items, log_count + math.log(n_draws))
        return float((sampled - exact).norm() / exact.norm())

    pooled = sampler.fresh().sample(users, positives, generator).items.dim() == 1
    few = sum(error(1) for _ in range(10)) / 10
    many = sum(error(256) for _ in range(4)) / 4
    message = (
        "log_expected_count: the gradient of the corrected softmax must tend to that over all "
        f"items; its relative error is {few:.3f} with one draw and {many:.3f} with 256"
    )
    expect(many < max(few / 6, 1e-6) and many < 0.05, message)


def check_frequencies(
    make: Make, exclude_seen: bool, *, half_life: float | None = None, world_size: int = 1
) -> None:
    """Check that items come as often as the sampler expects, in epochs as training draws them.

    Each valid place weighs 1 / expected count: in the mean 1 for each item that can come. That
    holds for every row, given its own positive, so also for the sum over the rows of an epoch, of
    the last, smaller batch and of a memory that is not yet full. The mean over T epochs has a
    standard error of its own, so the sum of squares of the errors in units of it is about
    chi-squared with one degree of freedom per item. Interactions are up to 8 times as likely as
    others with a half-life of 2 days.
    """
    unseen = torch.ones(TRAIN.n_users, N_ITEMS, dtype=torch.bool)
    if exclude_seen:
        unseen[TRAIN.users, TRAIN.items] = False
    totals = []
    for epoch in _epochs(make, half_life, world_size, number=300):
        total = torch.zeros(N_ITEMS, dtype=torch.float64)
        for users, positives, negatives, *_ in epoch:
            expect(len(users) > 1, "a row alone has no other rows")
            valid = validity(negatives, users)
            weights = torch.exp(-negatives.log_expected_count.double()) * valid  # [B, N]
            items = negatives.items.expand(valid.shape)
            total.index_add_(0, items.flatten(), weights.flatten())
            possible = unseen[users]
            possible[torch.arange(len(users)), positives] = False
            total -= possible.sum(0)
        totals.append(total)
    errors = torch.stack(totals)
    # Where nothing is left to chance errors and their standard error are 0.
    z = errors.mean(0) / (errors.std(0) / len(errors) ** 0.5).clamp(min=1e-6)
    message = (
        "expected_count: items do not come as often as expected; deviations in standard errors, by "
        f"item: {[round(each, 1) for each in z.tolist()]}"
    )
    expect(chi2.sf(float((z**2).sum()), df=N_ITEMS) > _RARE, message)


def _epochs(make: Make, half_life: float | None, world_size: int, number: int) -> Iterator[Batches]:
    """Yield so many epochs of the first of `world_size` processes, as in training."""
    days = torch.arange(len(TRAIN)) * 5 % 7  # in no order of users or items
    train = replace(TRAIN, timestamps=days * 86_400 * 1_000_000)
    nothing = ItemLists(torch.zeros(1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    fold = Fold(
        Vocabulary(pl.Series(range(TRAIN.n_users)), pl.Series(range(N_ITEMS))),
        train,
        Holdout(torch.zeros(0, dtype=torch.int64), nothing, nothing),
        train.histories,
    )
    batches = FoldBatches(
        fold,
        make,
        batch_size=6,
        half_life=half_life,
        seed=6,
        device=torch.device("cpu"),
        history_length=None,
    )
    for epoch in range(number):
        trainer: Any = SimpleNamespace(current_epoch=epoch, global_rank=0, world_size=world_size)
        batches.trainer = trainer
        yield batches.train_batches()


CHECKS = (
    check_shapes,
    check_valid_negatives,
    check_users_without_negatives,
    check_seeds,
    check_fresh,
    check_expected_counts,
    check_softmax_gradient,
)
