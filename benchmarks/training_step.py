"""Training beside the notebook's loop, on MovieLens 100K in the notebook's setting.

    python benchmarks/training_step.py

Both train two embedding tables of 16 with ten uniform negatives for each positive, binary
cross-entropy and Adam, on the same train part, and are timed over whole epochs: shuffling,
sampling, forward, backward and optimizer. Ours is the path of `twotower train`, through Lightning.
The notebook's batch is 1,024. All run on one thread, in turns, so that a machine that slows down
slows all; CPU time is measured, and the ratios are medians over the turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import product
from operator import truediv

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from machine import machine
from twotower.config import build, compose
from twotower.model import TwoTower
from twotower.running.experiment import Experiment
from twotower.split.fold import make_fold
from twotower.split.prepare import prepare
from twotower.training import Objective
from twotower.types import Fold, TrainInteractions

SETTING = ["experiment=notebook", "tracking=none", "trainer.progress_bar=false"]
NOTEBOOK = "notebook's loop, batch 1,024"


class Rows(Dataset[dict[str, Tensor]]):
    """The notebook's dataset: one row a positive, its negatives drawn when the row is asked for."""

    def __init__(self, train: TrainInteractions, num_negatives: int) -> None:
        self.pairs = torch.stack([train.users, train.items], 1).numpy()
        self.n_items = train.n_items
        self.num_negatives = num_negatives

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, row: int) -> dict[str, Tensor]:
        user, positive = self.pairs[row, 0], self.pairs[row, 1]
        drawn = np.random.randint(0, self.n_items, self.num_negatives)  # noqa: NPY002, as it does
        labels = torch.zeros(1 + self.num_negatives)
        labels[0] = 1.0
        return {
            "user": torch.tensor([user], dtype=torch.int32),
            "items": torch.tensor(np.hstack([positive, drawn]), dtype=torch.int32),
            "labels": labels,
        }


def notebook_epoch(fold: Fold, num_negatives: int, batch_size: int, dim: int = 16) -> None:
    """One epoch of the notebook's training loop; its validation pass is left out."""
    users = nn.Embedding(fold.train.n_users, dim)
    items = nn.Embedding(fold.train.n_items, dim)
    optimizer = torch.optim.Adam([*users.parameters(), *items.parameters()], lr=1e-3)
    loss_of = nn.BCEWithLogitsLoss()
    total = 0.0
    rows = Rows(fold.train, num_negatives)
    for batch in DataLoader(rows, batch_size=batch_size, shuffle=True):
        optimizer.zero_grad()
        scores = (users(batch["user"]) * items(batch["items"])).sum(-1)
        loss = loss_of(scores, batch["labels"])
        loss.backward()
        optimizer.step()
        total += loss.item()


def notebook_fold() -> Fold:
    """MovieLens 100K as the notebook splits it."""
    experiment: Experiment = build(compose("train", SETTING))
    frames = prepare(
        experiment.dataset.load(), experiment.preprocessing, experiment.split, None, {}
    )
    return make_fold(frames.train, frames.test, frames.history, True, True)


def our_epochs(experiment: Experiment, fold: Fold, epochs: int) -> None:
    """Epochs of the path that `twotower train` takes."""
    model = TwoTower.build(
        experiment.tower, users=fold.users, items=fold.items, seed=experiment.seed
    )
    objective = Objective(experiment.negative_sampling, experiment.loss, experiment.optimizer)
    experiment.trainer.fit(model, fold, objective, seed=0, epochs=epochs, on_epoch=lambda *_: None)


def positives_per_second(fold: Fold, epochs: int, work: Callable[[], None]) -> float:
    """How many positives `work`, which takes `epochs` epochs, trains on in a second of CPU time."""
    started = time.process_time()
    work()
    return epochs * len(fold.train) / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=5, help="of each (default 5)")
    parser.add_argument("--epochs", type=int, default=50, help="of ours in a turn (default 50)")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 1024, 4096])
    parser.add_argument("--kernels", nargs="+", default=["auto"], help="such as auto autograd")
    options = parser.parse_args()
    torch.set_num_threads(1)

    fold = notebook_fold()
    contenders: dict[str, tuple[int, Callable[[], None]]] = {
        NOTEBOOK: (1, lambda: notebook_epoch(fold, 10, batch_size=1024))
    }
    for kernel, excluding, size in product(options.kernels, (False, True), options.batch_sizes):
        ours: Experiment = build(
            compose(
                "train",
                [
                    *SETTING,
                    f"negative_sampling.exclude_seen={str(excluding).lower()}",
                    f"trainer.kernel={kernel}",
                    f"trainer.batch_size={size}",
                    "trainer.threads=1",
                ],
            )
        )
        name = f"twotower, batch {size:,}" + (", seen items excluded" if excluding else "")
        contenders[name + ("" if kernel == "auto" else f", {kernel}")] = (
            options.epochs,
            lambda ours=ours: our_epochs(ours, fold, options.epochs),  # type: ignore[misc]
        )

    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(options.turns + 1):
        for name, (epochs, work) in contenders.items():
            speed = positives_per_second(fold, epochs, work)
            if turn:  # the first one warms up
                speeds[name].append(speed)
        print(f"turn {turn} of {options.turns}", flush=True)

    print(f"\n{len(fold.train):,} positives; {machine()}\n")
    print("| | positives/s, median | min | max | x notebook |")
    print("|---|---:|---:|---:|---:|")
    for name, values in speeds.items():
        ratio = statistics.median(map(truediv, values, speeds[NOTEBOOK]))
        print(
            f"| {name} | {statistics.median(values):,.0f} | {min(values):,.0f} "
            f"| {max(values):,.0f} | {ratio:.1f} |"
        )


if __name__ == "__main__":
    main()
