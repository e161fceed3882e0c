"""Gowalla on the split that LightGCN published: the recipe beside what papers report.

    python benchmarks/quality_gowalla.py --train train.parquet --test test.parquet
    python benchmarks/quality_gowalla.py --train train.parquet --test test.parquet --race

`train` and `test` hold the published interactions (810,128 and 217,242), columns `user_id` and
`item_id`. All 40,981 items are ranked, a user's train items dropped; recall@20 and NDCG@20 as in
the papers. The recipe's values were chosen on a tenth of train; here it is trained on that part's
rest to find the number of epochs, then on all of train, and tested once for each seed.

--race trains implicit's ALS and a few epochs of the recipe on all of train, and prints recall and
seconds of both. The values of ALS and the number of epochs were chosen on the same tenth.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from typing import Any

import twotower
from machine import machine
from twotower.baselines import ALS
from twotower.config import build, compose
from twotower.model import TwoTower
from twotower.running.experiment import Experiment
from twotower.split.fold import fold_of
from twotower.training import Objective
from twotower.types import Scorer

METRICS = ("recall_at_20", "ndcg_at_20")
# Published on this split with 64 dimensions: (recall@20, NDCG@20).
PUBLISHED = {
    "MF, BPR loss (BARS)": (0.1627, 0.1378),
    "LightGCN (He et al. 2020)": (0.1830, 0.1554),
    "MF, CCL (SimpleX, Mao et al. 2021)": (0.1837, 0.1493),
    "SimpleX (Mao et al. 2021)": (0.1872, 0.1557),
    "MF, BSL (Wu et al. 2024)": (0.1882, 0.1584),
}
ALS_VALUES: dict[str, Any] = {
    "factors": 64,
    "iterations": 15,
    "regularization": 50.0,
    "alpha": 40.0,
}
# What differs from the recipe in a race, where more and smaller steps count.
RACE = ["trainer.batch_size=256", "negative_sampling.num_negatives=512"]


def recipe(options: argparse.Namespace, folder: str) -> list[str]:
    """The overrides of a run."""
    return [
        "experiment=gowalla",
        f"dataset.path={options.train}",
        f"dataset.test_path={options.test}",
        "tracking=none",
        f"output_dir={folder}",
        *options.overrides,
    ]


def race(options: argparse.Namespace, folder: str) -> None:
    """Print recall and seconds of ALS and of a few epochs of the recipe."""
    keys = [*RACE, f"trainer.max_epochs={options.epochs}", "trainer.progress_bar=false"]
    experiment: Experiment = build(compose("train", [*recipe(options, folder), *keys]))
    _, frames = experiment.load()
    fold = fold_of(frames, "test", experiment.split)

    def als() -> Scorer:
        return ALS(**ALS_VALUES, seed=0).fit(fold.train)  # on all cores

    def ours() -> Scorer:
        model = TwoTower.build(
            experiment.tower, users=fold.users, items=fold.items, seed=0, train=fold.train
        )
        objective = Objective(experiment.negative_sampling, experiment.loss, experiment.optimizer)
        experiment.trainer.fit(model, fold, objective, seed=0, on_epoch=lambda *_: None)
        return model.scorer(fold.train_histories)

    print(f"\n{machine()}\n\n| | recall@20 | NDCG@20 | seconds | CPU seconds |")
    print("|---|---:|---:|---:|---:|")
    for name, fit in (("ALS (implicit)", als), (f"twotower, {options.epochs} epochs", ours)):
        started = time.perf_counter(), time.process_time()
        scorer = fit()
        wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
        found = experiment.evaluation.measure(experiment.evaluation.recommend(scorer, fold), fold)
        recall, ndcg = (found.values[metric] for metric in METRICS)
        print(f"| {name} | {recall:.4f} | {ndcg:.4f} | {wall:.1f} | {cpu:.1f} |", flush=True)


def quality(options: argparse.Namespace, folder: str) -> None:
    """Print what the recipe reaches on the test, beside what papers report."""
    rows: list[tuple[float, ...]] = []
    print(f"{machine()}; load {os.getloadavg()[0]:.1f}", flush=True)
    for seed in range(options.seeds):
        started = time.perf_counter(), time.process_time()
        result = twotower.run([*recipe(options, folder), f"seed={seed}"])
        wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
        values = tuple(result.metrics[f"test/{name}"] for name in METRICS)
        rows.append(values)
        fits = ", ".join(f"{fit.seconds / 60:.1f}" for fit in result.fits)
        print(
            f"seed {seed}: recall@20 {values[0]:.4f}, NDCG@20 {values[1]:.4f}; "
            f"{result.fits[0].best_epoch} epochs; minutes: {fits} to select and refit, "
            f"{wall / 60:.1f} in all, {cpu / 60:.1f} of CPU time",
            flush=True,
        )
        if seed == 0:
            popularity = tuple(result.metrics[f"baseline/popularity/{m}"] for m in METRICS)

    print("\n| | recall@20 | NDCG@20 |")
    print("|---|---:|---:|")
    for title, published in PUBLISHED.items():
        print(f"| {title} | {published[0]:.4f} | {published[1]:.4f} |")
    print(f"| popularity | {popularity[0]:.4f} | {popularity[1]:.4f} |")
    means = [statistics.mean(column) for column in zip(*rows, strict=True)]
    print(f"| **twotower, `experiment=gowalla`** | {means[0]:.4f} | {means[1]:.4f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", required=True, help="Parquet file of the train part")
    parser.add_argument("--test", required=True, help="Parquet file of the test part")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 0, 1, ... (default 1)")
    parser.add_argument("--race", action="store_true", help="beside ALS instead, in seconds")
    parser.add_argument("--epochs", type=int, default=2, help="of the race (default 2)")
    parser.add_argument("overrides", nargs="*", help="of the recipe, such as trainer=gpu")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (race if options.race else quality)(options, folder)


if __name__ == "__main__":
    main()
