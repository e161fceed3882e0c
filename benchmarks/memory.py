"""The memory that a fit is estimated to need, next to what it takes.

    python benchmarks/memory.py

Each setting is a process of its own: it makes a fold, estimates as a run does before training,
trains two epochs, and ranks after each. What it takes is the peak of the resident memory, without
pages of mapped files, above that before the estimate.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import torch

from scale import Phases, anonymous_memory
from twotower.config import build, compose
from twotower.model import TwoTower
from twotower.running.experiment import Experiment
from twotower.running.memory import needs_of
from twotower.training import Objective
from twotower.types import Fold, Histories, Holdout, ItemLists, TrainInteractions, Vocabulary

_JUDGED = 500
_LARGE = ["trainer.kernel=autograd", "trainer.batch_size=8192"]
SETTINGS = {
    "fused, 64": (300_000, 100_000, ["tower.emb_dim=64"]),
    "fused, 256": (200_000, 50_000, ["tower.emb_dim=256"]),
    "fused sgd, 256": (200_000, 50_000, ["tower.emb_dim=256", "optimizer=sgd"]),
    "cosine, 128": (300_000, 50_000, ["tower.emb_dim=128", "tower.similarity=cosine"]),
    "autograd, 128": (100_000, 50_000, ["tower.emb_dim=128", *_LARGE]),
    "100 negatives, 64": (
        20_000,
        50_000,
        ["tower.emb_dim=64", "negative_sampling.num_negatives=100", *_LARGE],
    ),
    "pool of 8,192": (
        20_000,
        50_000,
        [
            *("tower.emb_dim=64", "negative_sampling=shared", "loss=sampled_softmax", *_LARGE),
            "negative_sampling.num_negatives=8192",
        ],
    ),
    "many rows": (20_000, 2_000_000, ["tower.emb_dim=16", "trainer.batch_size=65536"]),
}


def random_fold(n_items: int, n_rows: int) -> Fold:
    """Return a fold of a third as many users as items, 500 of whom are judged."""
    n_users = n_items // 3
    generator = torch.Generator().manual_seed(0)
    users, items = (
        torch.randint(n, (n_rows,), generator=generator, dtype=torch.int32)
        for n in (n_users, n_items)
    )
    train = TrainInteractions(users, items, n_users, n_items)
    judged = torch.arange(_JUDGED)
    held = torch.randint(n_items, (_JUDGED,), generator=generator, dtype=torch.int32)
    lists = ItemLists.from_pairs(judged, held, _JUDGED)
    return Fold(
        Vocabulary(*(pl.Series(range(n)) for n in (n_users, n_items))),
        train,
        Holdout(judged, lists, lists),
        Histories.of(users, items, n_users, timed=False),
    )


def measure(name: str) -> dict[str, float]:
    """Return the estimate and the peak of a setting, in bytes."""
    n_items, n_rows, overrides = SETTINGS[name]
    quiet = ["trainer.progress_bar=false", "tracking=none", "trainer.max_epochs=2"]
    experiment: Experiment = build(compose("train", [*quiet, *overrides]))
    evaluation, trainer = experiment.evaluation, experiment.trainer
    objective = Objective(experiment.negative_sampling, experiment.loss, experiment.optimizer)
    small, fold = random_fold(10_000, 3_000), random_fold(n_items, n_rows)

    def fit(its: Fold) -> None:
        model = TwoTower.build(
            experiment.tower, users=its.users, items=its.items, seed=0, train=its.train
        )
        rank = partial(evaluation.recommend, fold=its)
        trainer.fit(
            model,
            its,
            objective,
            seed=0,
            on_epoch=lambda *_: None,
            validate=lambda scorer: evaluation.measure(rank(scorer), its).values,
            monitor=evaluation.monitor_name,
        )

    fit(small)  # what libraries and compiled code take
    needs = needs_of(experiment.tower, trainer, objective, evaluation, fold, validates=True)
    with TemporaryDirectory() as folder:
        phases = Phases(Path(folder, "measured.json"))
        before = anonymous_memory()
        phases.run(name, lambda: fit(fold))
    return {"estimate": needs.total, "peak": phases.base + phases.measured[name][1] - before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=list(SETTINGS), help="settings")
    parser.add_argument("--measure", help=argparse.SUPPRESS)  # of a child
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    print("| setting | estimate | peak | error |\n|---|---:|---:|---:|")
    for name in options.names:
        command = [sys.executable, __file__, "--measure", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        sizes = [f"{found[key] / 2**20:,.0f} MiB" for key in ("estimate", "peak")]
        error = found["estimate"] / found["peak"] - 1
        print(f"| {name} | {' | '.join(sizes)} | {error:+.0%} |", flush=True)


if __name__ == "__main__":
    main()
