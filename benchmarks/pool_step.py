"""A training step with a shared pool, beside the three matrix products that it cannot do without.

    python benchmarks/pool_step.py
    python benchmarks/pool_step.py --train data/gowalla/train.parquet

The setting is the Gowalla recipe's: embeddings of 64 at length 1, a batch of 1,024 positives, a
pool of 1,024 items, the loss `bsl` and Adam. The products are the scores, and the gradients of
users and pool. Without the file of interactions, as many are made up for as many users and items. A
step is timed with the draw of its batch; both take turns on one thread, in CPU time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import polars as pl
import torch
from torch import Tensor

from machine import machine
from twotower.loss import BilateralSoftmax, CosineContrastive, Loss, SampledSoftmax
from twotower.model import TwoTower
from twotower.negative_sampling import SharedSampler
from twotower.tower import EmbeddingTower
from twotower.training.batches import Batch, Batches
from twotower.training.fused import FusedStep
from twotower.types import Side, TrainInteractions

N_USERS, N_ITEMS, N = 29_858, 40_981, 810_128
BATCH, POOL, WIDTH = 1024, 1024, 64
LOSSES: dict[str, Loss] = {
    "bsl": BilateralSoftmax(None, 0.09, 1.22),
    "sampled_softmax": SampledSoftmax(0.1, True),
    "ccl": CosineContrastive(0.4, 10.0),
}


def interactions(path: str | None) -> TrainInteractions:
    """The pairs of a file with columns `user_id` and `item_id`, or made-up ones."""
    if path is None:
        generator = torch.Generator().manual_seed(0)
        users, items = (  # a few have many
            (torch.rand(N, generator=generator) ** 3 * n).long() for n in (N_USERS, N_ITEMS)
        )
        return TrainInteractions(users, items, N_USERS, N_ITEMS)
    frame = pl.read_parquet(path).select(pl.col("user_id", "item_id").rank("dense") - 1)
    users, items = (frame[name].cast(pl.Int64).to_torch() for name in frame.columns)
    return TrainInteractions(users, items, int(users.max()) + 1, int(items.max()) + 1)


def batches(train: TrainInteractions) -> Iterator[Batch]:
    """Batches without end."""
    sampler = SharedSampler(POOL, 0.0, True, train=train, device=torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    while True:
        order = torch.randperm(len(train), generator=generator)
        users, items = train.users[order], train.items[order]
        yield from (
            batch
            for batch in Batches(users, items, sampler, BATCH, generator, None)
            if len(batch.users) == BATCH
        )


def cpu_seconds(work: Callable[[], object], times: int) -> float:
    """CPU time of a call, mean of `times`."""
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times


@torch.no_grad()
def steps_of(step: FusedStep, drawn: Iterator[Batch]) -> None:
    step(next(drawn), BATCH, [0.006])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", help="Parquet file of interactions")
    parser.add_argument("--turns", type=int, default=15, help="of each (default 15)")
    parser.add_argument("--steps", type=int, default=20, help="of a turn (default 20)")
    options = parser.parse_args()
    torch.set_num_threads(1)

    train = interactions(options.train)
    drawn = batches(train)
    vectors = torch.randn(3, BATCH, WIDTH)
    scores = torch.empty(BATCH, POOL)

    def products() -> tuple[Tensor, Tensor]:
        torch.mm(vectors[0], vectors[1].T, out=scores)
        torch.mm(scores, vectors[1], out=vectors[2])
        return vectors[2], scores.T @ vectors[0]

    steps: dict[str, FusedStep] = {}
    for name, loss in LOSSES.items():
        tower = partial(EmbeddingTower, WIDTH, 0.01, "cosine", False)
        users, items = train.n_users, train.n_items
        sides = Side("user", users, users, None), Side("item", items, items, None)
        model = TwoTower.build(tower, users=sides[0], items=sides[1], seed=0)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.006)
        steps[name] = FusedStep(model, loss, optimizer, 0.0)
        steps[name].start_epoch((options.turns + 1) * options.steps)

    own: dict[str, list[float]] = {name: [] for name in steps}
    ratios: dict[str, list[float]] = {name: [] for name in steps}
    limits: list[float] = []
    for turn in range(options.turns + 1):
        for name, step in steps.items():
            limit = cpu_seconds(products, options.steps)
            one = partial(steps_of, step, drawn)
            seconds = cpu_seconds(one, options.steps)
            if turn:  # the first one warms up
                limits.append(limit)
                own[name].append(seconds)
                ratios[name].append(seconds / limit)

    flops = 3 * 2 * BATCH * POOL * WIDTH
    limit = statistics.median(limits)
    print(f"{len(train):,} interactions, batch {BATCH:,}, pool {POOL:,}, {WIDTH} dimensions")
    print(f"{machine()}\n")
    print("| | ms of CPU time | x products |")
    print("|---|---:|---:|")
    print(f"| three products, {flops / limit / 1e9:.0f} GFLOP/s | {1e3 * limit:.2f} | 1 |")
    for name in steps:
        ratio = statistics.median(ratios[name])
        print(f"| step, {name} | {1e3 * statistics.median(own[name]):.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
