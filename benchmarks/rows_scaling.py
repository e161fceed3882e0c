"""The time of a training step as the tables grow.

    python benchmarks/rows_scaling.py

Batches of 1,024 positives with 10 negatives each, embeddings of 16, binary cross-entropy and each
optimizer that updates rows, with tables of 10^4 to 10^7 rows in all, half of them users. Users,
positives and negatives are uniform, the worst case for caches. Sizes take turns on one thread, in
CPU time. The first size is the reference.

The limit is that of memory: the time in which a bare loop reads and writes the distinct rows that a
step uses, in the arrays that it uses (weights and the state of the optimizer), right before it.
What a step takes beyond that should not grow with the tables.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from machine import machine
from twotower.core.compiled import compiled
from twotower.loss import BinaryCrossEntropy
from twotower.model import TwoTower
from twotower.tower import EmbeddingTower
from twotower.training.batches import Batch
from twotower.training.fused import FusedStep
from twotower.types import Negatives, Side

Array = NDArray[Any]
BATCH, NEGATIVES = 1024, 10
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": partial(torch.optim.Adam, lr=0.01),
    "adagrad": partial(torch.optim.Adagrad, lr=0.1),
    "sgd": partial(torch.optim.SGD, lr=1.0, momentum=0.9),
}


def batches(rows: int, steps: int, generator: torch.Generator) -> Batch:
    """Batches of users and items below `rows`, as one."""
    users, positives = torch.randint(rows, (2, steps * BATCH), generator=generator)
    items = torch.randint(rows, (steps * BATCH, NEGATIVES), generator=generator)
    counts = torch.full((1,), math.log(NEGATIVES / rows)).expand(items.shape)
    return Batch(users, positives, Negatives(items, counts, None), None, None)


def used_rows(rows: int, steps: int, generator: torch.Generator) -> list[list[Array]]:
    """The distinct users and the distinct items of each of other batches."""
    drawn = batches(rows, steps, generator)
    return [
        [
            torch.unique(each.users).numpy(),
            torch.unique(torch.cat([each.positives, each.negatives.items.flatten()])).numpy(),
        ]
        for each in drawn.split(BATCH)
    ]


def touch(optimizer: torch.optim.Optimizer, used: list[list[Array]], last: list[Array]) -> float:
    """CPU seconds in which a bare loop reads and writes rows of all arrays of an optimizer."""
    (group,) = optimizer.param_groups
    arrays = [
        [each.detach().numpy()]
        + [x.numpy() for x in optimizer.state[each].values() if x is not None and x.dim() == 2]
        for each in group["params"]
    ]
    started = time.process_time()
    for sides in used:
        for rows, tables, times in zip(sides, arrays, last, strict=True):
            add_nothing(tuple(tables), times, rows)
    return time.process_time() - started


@compiled
def add_nothing(tables: tuple[Array, ...], last: Array, rows: Array) -> None:
    for r in range(len(rows)):
        row = rows[r]
        last[row] += 1
        for table in tables:
            for d in range(table.shape[1]):
                table[row, d] += np.float32(1e-30)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[1e4, 1e5, 1e6, 1e7])
    parser.add_argument("--optimizers", nargs="+", default=[*OPTIMIZERS], choices=[*OPTIMIZERS])
    parser.add_argument("--width", type=int, default=16, help="of embeddings (default 16)")
    parser.add_argument("--turns", type=int, default=15, help="of each (default 15)")
    parser.add_argument("--steps", type=int, default=20, help="of a turn (default 20)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)

    print(machine())
    for name in options.optimizers:
        steps: dict[int, FusedStep] = {}
        optimizers: dict[int, torch.optim.Optimizer] = {}
        last: dict[int, list[Array]] = {}
        for size in map(int, options.sizes):
            rows = size // 2
            tower = partial(EmbeddingTower, options.width, 0.1, "dot", False)
            sides = Side("user", rows, rows, None), Side("item", rows, rows, None)
            model = TwoTower.build(tower, users=sides[0], items=sides[1], seed=0)
            optimizers[size] = OPTIMIZERS[name](model.parameters())
            steps[size] = FusedStep(model, BinaryCrossEntropy(), optimizers[size], 0.0)
            steps[size].start_epoch((options.turns + 1) * options.steps)
            last[size] = [np.zeros(rows, np.int64) for _ in range(2)]
        seconds: dict[int, list[float]] = {size: [] for size in steps}
        limits: dict[int, list[float]] = {size: [] for size in steps}
        for turn in range(options.turns + 1):
            for size, step in steps.items():
                used = used_rows(size // 2, options.steps, generator)
                limit = touch(optimizers[size], used, last[size])
                drawn = batches(size // 2, options.steps, generator)
                started = time.process_time()
                step(drawn, BATCH, options.steps * [0.01])
                if turn:  # the first one warms up
                    seconds[size].append((time.process_time() - started) / options.steps)
                    limits[size].append(limit / options.steps)
        print(
            f"\n| {name}, rows | ms of CPU time per step | x first | bare rows, ms | beyond, ms |"
        )
        print("|---|---:|---:|---:|---:|")
        first = statistics.median(seconds[min(seconds)])
        for size, values in seconds.items():
            median, limit = statistics.median(values), statistics.median(limits[size])
            print(
                f"| {size:,} | {1e3 * median:.3f} | {median / first:.2f} | {1e3 * limit:.3f} "
                f"| {1e3 * (median - limit):.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
