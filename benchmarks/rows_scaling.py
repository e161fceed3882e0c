"""The time of a training step as the tables grow.

    python benchmarks/rows_scaling.py

Batches of 1,024 positives with 10 negatives each, embeddings of 16, binary cross-entropy and each
optimizer that updates rows, with tables of 10^4 to 10^7 rows in all, half of them users. Users,
positives and negatives are uniform, the worst case for caches. Sizes take turns on one thread, in
CPU time. The first size is the reference.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from machine import machine
from twotower.loss import BinaryCrossEntropy
from twotower.model import TwoTower
from twotower.tower import EmbeddingTower
from twotower.training.batches import Batch
from twotower.training.fused import FusedStep
from twotower.types import Negatives, Side

BATCH, NEGATIVES = 1024, 10
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": partial(torch.optim.Adam, lr=0.01),
    "adagrad": partial(torch.optim.Adagrad, lr=0.1),
    "sgd": partial(torch.optim.SGD, lr=1.0, momentum=0.9),
}


def batch(rows: int, generator: torch.Generator) -> Batch:
    """A batch of users and items below `rows`."""
    users, positives = torch.randint(rows, (2, BATCH), generator=generator)
    items = torch.randint(rows, (BATCH, NEGATIVES), generator=generator)
    counts = torch.full((1,), math.log(NEGATIVES / rows)).expand(BATCH, NEGATIVES)
    return Batch(users, positives, Negatives(items, counts, None), None, None)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[1e4, 1e5, 1e6, 1e7])
    parser.add_argument("--width", type=int, default=16, help="of embeddings (default 16)")
    parser.add_argument("--turns", type=int, default=15, help="of each (default 15)")
    parser.add_argument("--steps", type=int, default=20, help="of a turn (default 20)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)

    print(machine())
    for name, optimizer in OPTIMIZERS.items():
        steps: dict[int, FusedStep] = {}
        for size in map(int, options.sizes):
            rows = size // 2
            tower = partial(EmbeddingTower, options.width, 0.1, "dot", False)
            sides = Side("user", rows, rows, None), Side("item", rows, rows, None)
            model = TwoTower.build(tower, users=sides[0], items=sides[1], seed=0)
            step = FusedStep(model, BinaryCrossEntropy(), optimizer(model.parameters()), 0.0)
            steps[size] = step
            step.start_epoch((options.turns + 1) * options.steps)
        seconds: dict[int, list[float]] = {size: [] for size in steps}
        for turn in range(options.turns + 1):
            for size, step in steps.items():
                drawn = [batch(size // 2, generator) for _ in range(options.steps)]
                started = time.process_time()
                for each in drawn:
                    step(each, BATCH, [0.01])
                if turn:  # the first one warms up
                    seconds[size].append((time.process_time() - started) / options.steps)
        print(f"\n| {name}, rows | ms of CPU time per step | x first |")
        print("|---|---:|---:|")
        first = statistics.median(seconds[min(seconds)])
        for size, values in seconds.items():
            median = statistics.median(values)
            print(f"| {size:,} | {1e3 * median:.3f} | {median / first:.2f} |", flush=True)


if __name__ == "__main__":
    main()
