"""Training throughput beside the notebook's loop, on MovieLens 100K in the notebook's setting.

    python benchmarks/throughput.py

Both train two embedding tables of 16 with ten uniform negatives for each positive, binary
cross-entropy and Adam, on the same train part, and are timed over whole epochs: shuffling,
sampling, forward, backward and optimizer. Ours is the path of `twotower train`, through Lightning.
They take turns, so that a machine that slows down slows both; the ratio is of medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from twotower.config import build, compose
from twotower.experiment import Experiment
from twotower.model import TwoTower
from twotower.split.fold import make_fold
from twotower.split.prepare import prepare
from twotower.training import Objective
from twotower.types import Fold, TrainInteractions

SETTING = ["experiment=notebook", "tracking=none", "trainer.progress_bar=false"]


class Rows(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """The notebook's dataset: one row a positive, its negatives drawn when the row is asked for."""

    def __init__(self, train: TrainInteractions, num_negatives: int) -> None:
        self.train = train
        self.num_negatives = num_negatives
        self.generator = np.random.default_rng(0)
        self.labels = torch.zeros(1 + num_negatives)
        self.labels[0] = 1

    def __len__(self) -> int:
        return len(self.train)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor, Tensor]:
        negatives = torch.as_tensor(
            self.generator.integers(0, self.train.n_items, self.num_negatives)
        )
        items = torch.cat([self.train.items[row : row + 1], negatives])
        return self.train.users[row], items, self.labels


def notebook_epoch(fold: Fold, num_negatives: int) -> None:
    """One epoch of the notebook's loop at its batch of 128."""
    users = nn.Embedding(fold.train.n_users, 16)
    items = nn.Embedding(fold.train.n_items, 16)
    optimizer = torch.optim.Adam([*users.parameters(), *items.parameters()], lr=1e-3)
    loss_of = nn.BCEWithLogitsLoss()
    rows = Rows(fold.train, num_negatives)
    for user, candidates, labels in DataLoader(rows, batch_size=128, shuffle=True):
        scores = (users(user)[:, None, :] * items(candidates)).sum(-1)
        loss = loss_of(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def our_epochs(experiment: Experiment, fold: Fold, epochs: int) -> None:
    """Epochs of the path that `twotower train` takes."""
    train = fold.train
    model = TwoTower.build(
        experiment.tower, n_users=train.n_users, n_items=train.n_items, seed=experiment.seed
    )
    objective = Objective(experiment.negative_sampling, experiment.loss, experiment.optimizer)
    experiment.trainer.fit(model, fold, objective, seed=0, epochs=epochs, on_epoch=lambda *_: None)


def positives_per_second(fold: Fold, epochs: int, work: Callable[[], None]) -> float:
    """How many positives `work`, which takes `epochs` epochs, trains on in a second."""
    started = time.perf_counter()
    work()
    return epochs * len(fold.train) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="turns of each (default 5)")
    parser.add_argument("--epochs", type=int, default=10, help="epochs a turn of ours (default 10)")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 1024, 4096, 16384])
    options = parser.parse_args()

    experiment: Experiment = build(compose("train", SETTING))
    frames = prepare(
        experiment.dataset.load(), experiment.preprocessing, experiment.split, None, {}
    )
    fold = make_fold(frames.train, frames.test, frames.history, True, True)
    contenders: dict[str, tuple[int, Callable[[], None]]] = {
        "notebook's loop, batch 128": (1, lambda: notebook_epoch(fold, 10))
    }
    for excluding in (False, True):
        overrides = [*SETTING, f"negative_sampling.exclude_seen={str(excluding).lower()}"]
        configured: Experiment = build(compose("train", overrides))
        for size in options.batch_sizes:
            ours = replace(configured, trainer=replace(configured.trainer, batch_size=size))
            name = f"twotower, batch {size:,}" + (", seen items excluded" if excluding else "")
            contenders[name] = (
                options.epochs,
                lambda ours=ours: our_epochs(ours, fold, options.epochs),  # type: ignore[misc]
            )

    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(options.repeats + 1):
        for name, (epochs, work) in contenders.items():
            speed = positives_per_second(fold, epochs, work)
            if turn:  # the first one warms up
                speeds[name].append(speed)
        print(f"turn {turn} of {options.repeats}", flush=True)

    base = statistics.median(speeds["notebook's loop, batch 128"])
    print(f"\n{len(fold.train):,} positives, {torch.get_num_threads()} threads\n")
    print("| | positives/s, median | min | max | x notebook |")
    print("|---|---:|---:|---:|---:|")
    for name, values in speeds.items():
        median = statistics.median(values)
        print(
            f"| {name} | {median:,.0f} | {min(values):,.0f} | {max(values):,.0f} "
            f"| {median / base:.1f} |"
        )


if __name__ == "__main__":
    main()
