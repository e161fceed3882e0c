"""Exact evaluation next to the limit of its parts, and metrics next to RePlay's.

    python benchmarks/evaluation.py                                    # 20,000 x 200,000
    python benchmarks/evaluation.py --users 1000000 --items 1000000    # the full size
    python benchmarks/evaluation.py --replay                           # metrics of 100,000 users

The limit is the time of matrix products followed by torch's top-K alone, in blocks of the size that
is fastest for the first users: no exclusion of seen items, no check for NaN, no order of ties.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch

from twotower.config import build, compose
from twotower.evaluation import Evaluation
from twotower.evaluation.ranking import top_k
from twotower.model import DotProductScorer
from twotower.types import Fold, Histories, Holdout, ItemLists, TrainInteractions, Vocabulary

_DIM = 64
# Users and items of the blocks that are tried; 2**24: all items.
_BLOCKS = ((16, 2**15), (64, 2**13), (64, 2**24), (128, 2**14), (256, 2**16))
_TRIED = 256  # users


def fold_of(n_users: int, n_items: int, seed: int = 0, per_user: int = 20) -> Fold:
    """Return a fold in which each user has seen `per_user` random items, and one is held out."""
    generator = torch.Generator().manual_seed(seed)
    users = torch.arange(n_users, dtype=torch.int32).repeat_interleave(per_user)
    items = torch.randint(n_items, (len(users),), generator=generator, dtype=torch.int32)
    held = torch.randint(n_items, (n_users,), generator=generator, dtype=torch.int32)
    everyone = torch.arange(n_users)
    train = TrainInteractions(users, items, n_users, n_items)
    ids = pl.Series(range(n_users)), pl.Series(range(n_items))
    return Fold(
        Vocabulary(*ids),
        train,
        Holdout(everyone, ItemLists.from_pairs(everyone, held, n_users), train.items_by_user),
        Histories.of(users, items, n_users, timed=True),
    )


@torch.no_grad()
def limit_of(scorer: DotProductScorer, rows: torch.Tensor, users: int, items: int) -> float:
    """Return the seconds of products and top 10 of `rows`, in blocks of `users` and `items`."""
    started = time.perf_counter()
    for part in torch.split(rows, users):
        found = []
        for first in range(0, scorer.n_items, items):
            scores = scorer.score_block(part, first, min(first + items, scorer.n_items))
            found.append(scores.topk(min(10, scores.shape[1])).values)
        torch.cat(found, 1).topk(10)
    return time.perf_counter() - started


def ranking(n_users: int, n_items: int, measured_users: int) -> None:
    """Print the time of `top_k` and of its limit for the first `measured_users`."""
    evaluation: Evaluation = build(compose("train", [])).evaluation
    fold = fold_of(n_users, n_items)
    generator = torch.Generator().manual_seed(1)
    tables = [torch.randn(n, _DIM, generator=generator) for n in (n_users, n_items)]
    scorer = DotProductScorer(*tables)
    rows = torch.arange(min(measured_users, n_users))
    sizes = sorted({(users, min(items, n_items)) for users, items in _BLOCKS})
    block = min(sizes, key=lambda size: limit_of(scorer, rows[:_TRIED], *size))
    limit = limit_of(scorer, rows, *block)
    started = time.perf_counter()
    top_k(
        scorer,
        rows,
        k=10,
        drop=fold.holdout.seen.select(rows),
        block_scores=evaluation.block_scores,
    )
    ours = time.perf_counter() - started
    print(f"{len(rows):,} of {n_users:,} users x {n_items:,} items, {_DIM} dimensions, top 10")
    print(f"limit {limit:.1f} s in blocks of {block[0]:,} users and {block[1]:,} items")
    print(f"evaluation {ours:.1f} s: {ours / limit:.2f} times")
    print(f"all users, in proportion: {ours / len(rows) * n_users:,.0f} s")
    status = Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"peak memory of the process: {int(peak.split()[1]) / 2**20:.1f} GiB")


def metrics(n_users: int) -> None:
    """Print the time of NDCG, HitRate and Coverage at 10, of ours and of RePlay on pandas."""
    from replay.metrics import NDCG, Coverage, HitRate, OfflineMetrics

    overrides = ["evaluation.metrics=[ndcg,hitrate,coverage]", "evaluation.k=10"]
    evaluation: Evaluation = build(compose("train", overrides)).evaluation
    fold = fold_of(n_users, 20_000)
    generator = torch.Generator().manual_seed(2)
    scorer = DotProductScorer(
        torch.randn(n_users, 4, generator=generator), torch.randn(20_000, 4, generator=generator)
    )
    lists = evaluation.recommend(scorer, fold)
    started = time.perf_counter()
    ours = evaluation.measure(lists, fold).values
    seconds = time.perf_counter() - started
    users, places = torch.nonzero(lists.items >= 0, as_tuple=True)
    recommended = pl.DataFrame(
        {
            "user_id": users.numpy(),
            "item_id": lists.items[users, places].numpy(),
            "rating": lists.scores[users, places].double().numpy(),
        }
    ).to_pandas()
    relevant = fold.holdout.relevant
    truth = pl.DataFrame({"user_id": relevant.rows.numpy(), "item_id": relevant.items.numpy()})
    train = pl.DataFrame({"user_id": fold.train.users.numpy(), "item_id": fold.train.items.numpy()})
    names = {"query_column": "user_id", "item_column": "item_id", "rating_column": "rating"}
    started = time.perf_counter()
    theirs = OfflineMetrics([NDCG(10), HitRate(10), Coverage(10)], **names)(
        recommended, truth.to_pandas(), train.to_pandas()
    )
    replay = time.perf_counter() - started
    for (name, value), other in zip(ours.items(), theirs.values(), strict=True):
        print(f"{name}: {value!r}, RePlay {other!r}, {'equal' if value == other else 'DIFFERENT'}")
    print(f"{n_users:,} users: {seconds:.2f} s, RePlay on pandas {replay:.1f} s")
    if not np.array_equal(list(ours.values()), list(theirs.values())):
        sys.exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--measured", type=int, default=2_000, help="users that are ranked")
    parser.add_argument("--replay", action="store_true", help="metrics alone, next to RePlay")
    options = parser.parse_args()
    if options.replay:
        metrics(100_000)
    else:
        ranking(options.users, options.items, options.measured)


if __name__ == "__main__":
    main()
