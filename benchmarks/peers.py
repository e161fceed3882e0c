"""Training with BPR beside RecBole, implicit and cornac, on the same pairs.

    python benchmarks/peers.py

The other libraries run in a virtual environment of their own, which the first call creates (in the
user's cache, or where --venv says); RecBole needs versions that twotower does not. Two logs: all
100,000 pairs of MovieLens 100K, or made-up ones where it cannot be had, and a million made-up pairs
of 30,000 users and 40,000 items. Embeddings of 64. RecBole and twotower train with Adam, ten
uniform negatives per positive that the user has not seen, and batches of 1,024 positives; implicit
and cornac, as they only can, by SGD on one pair after the other, with one negative.

Everything runs on one thread, in turns, so that a machine that slows down slows all, and is timed
over whole epochs in CPU time: shuffling, sampling, forward, backward and optimizer, no evaluation.
Ours is the path of `twotower train`, through Lightning. Ratios are medians over the turns.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from operator import truediv
from pathlib import Path
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_path

from machine import machine
from twotower.config import build, compose
from twotower.core.errors import TwoTowerError
from twotower.model import TwoTower
from twotower.running.experiment import Experiment
from twotower.split.fold import make_fold
from twotower.training import Objective
from twotower.types import Fold

# RecBole 1.2.1 needs numpy 1 and pandas 2, and cornac 2.2.2 is the last that does not need numpy 2.
PINS = [
    *("recbole==1.2.1", "implicit==0.7.3", "cornac==2.2.2"),
    *("numpy==1.26.4", "scipy==1.13.1", "pandas==2.2.3"),
    f"torch=={torch.__version__.split('+')[0]}",
]
LIKE_MOVIELENS = ["n_users=943", "n_items=1682", "n_interactions=100000"]
LARGE = ["n_users=30000", "n_items=40000", "n_interactions=1000000"]
DIM, NEGATIVES, BATCH = 64, 10, 1024
BPR = [f"tower.emb_dim={DIM}", "loss=bpr", "trainer.threads=1", "tracking=none"]

OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}

Epochs = Callable[[int], float]  # trains for a number of epochs, and returns the CPU time


def environment(folder: Path) -> Path:
    """Return the Python of an environment with the other libraries, which is made if need be."""
    python, done = folder / "bin" / "python", folder / "pins.json"
    if not done.exists() or json.loads(done.read_text()) != PINS:
        print(f"installing {', '.join(PINS)} in {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PINS], check=True)
        done.write_text(json.dumps(PINS))
    return python


class Peers:
    """The process that trains with the other libraries on a log."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._process = subprocess.Popen(
            [
                *(python, "-W", "ignore", Path(__file__).with_name("peers_loops.py"), folder),
                *map(str, (DIM, NEGATIVES, BATCH)),
            ],
            cwd=folder,  # where RecBole writes logs
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )

    def epochs(self, library: str, count: int) -> float:
        """Train, and return the CPU time."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        print(library, count, file=process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        if "error" in answer:
            raise SystemExit(f"{library}: {answer['error']}")
        return float(answer["seconds"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def log_of(overrides: list[str]) -> Fold:
    """Return a fold that trains on all distinct pairs of a dataset."""
    experiment: Experiment = build(compose("train", overrides))
    log = experiment.dataset.load().log.unique(["user_id", "item_id"], maintain_order=True)
    return make_fold(log, log.head(10), log, True, True)


def small_log() -> tuple[str, Fold]:
    """MovieLens 100K, or made-up pairs like it."""
    try:
        return "MovieLens 100K", log_of(["dataset=movielens_100k"])
    except TwoTowerError:
        return "made-up, like MovieLens 100K", log_of(synthetic(LIKE_MOVIELENS))


def synthetic(keys: list[str]) -> list[str]:
    """The overrides of a made-up log."""
    return ["dataset=synthetic", *(f"dataset.{key}" for key in keys)]


def ours(fold: Fold, *overrides: str) -> Epochs:
    """Return training on a log by the path of `twotower train`."""
    keys = [*BPR, "trainer.progress_bar=false", *overrides]
    experiment: Experiment = build(compose("train", keys))
    objective = Objective(experiment.negative_sampling, experiment.loss, experiment.optimizer)

    def epochs(count: int) -> float:
        started = time.process_time()
        model = TwoTower.build(experiment.tower, users=fold.users, items=fold.items, seed=0)
        experiment.trainer.fit(
            model, fold, objective, seed=0, epochs=count, on_epoch=lambda *_: None
        )
        return time.process_time() - started

    return epochs


def speeds(
    contenders: dict[str, Epochs], positives: int, turns: int, seconds: float
) -> dict[str, list[float]]:
    """Return the positives per second of each contender in each turn, of about `seconds`."""
    counts = {}
    for name, epochs in contenders.items():
        epochs(1)  # compiles and warms up
        count = 1
        while (spent := epochs(count)) < seconds / 2:
            count = math.ceil(count * seconds / spent)
        counts[name] = count
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, epochs in contenders.items():
            found[name].append(counts[name] * positives / epochs(counts[name]))
    return found


def table(title: str, found: dict[str, list[float]], own: str) -> None:
    """Print the speeds and how many times as fast `own` is in the same turns."""
    print(f"\n| {title} | median | min | max | twotower is x as fast |\n|---|---:|---:|---:|---:|")
    for name, values in found.items():
        ratio = statistics.median(map(truediv, found[own], values))
        print(
            f"| {name} | {statistics.median(values):,.0f} | {min(values):,.0f} "
            f"| {max(values):,.0f} | {ratio:.2f} |",
            flush=True,
        )


def compare(name: str, fold: Fold, peers: Peers, turns: int, seconds: float) -> None:
    """Print the tables of a log."""

    def peer(library: str) -> Epochs:
        return lambda count: peers.epochs(library, count)

    pairs = len(fold.train)
    own = f"twotower, Adam, batch {BATCH:,}"
    contenders = {
        f"RecBole, Adam, batch {BATCH:,}": peer("recbole"),
        own: ours(
            fold, f"negative_sampling.num_negatives={NEGATIVES}", f"trainer.batch_size={BATCH}"
        ),
    }
    found = speeds(contenders, pairs, turns, seconds)
    table(f"{name}, {pairs:,} pairs, {NEGATIVES} negatives, positives/s", found, own)

    contenders = {"implicit, SGD": peer("implicit"), "cornac, SGD": peer("cornac")}
    for optimizer, batch in (("adam", 1024), ("adam", 4096), ("sgd", 4096)):
        own = f"twotower, {OPTIMIZERS[optimizer]}, batch {batch:,}"
        contenders[own] = ours(
            fold,
            "negative_sampling.num_negatives=1",
            f"optimizer={optimizer}",
            f"trainer.batch_size={batch}",
        )
    found = speeds(contenders, pairs, turns, seconds)
    table(f"{name}, one negative, pairs/s", found, own)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=5, help="of each (default 5)")
    parser.add_argument("--seconds", type=float, default=2, help="of a turn (default 2)")
    parser.add_argument("--logs", nargs="+", choices=["small", "large"], default=["small", "large"])
    parser.add_argument("--venv", type=Path, help="folder of the environment")
    options = parser.parse_args()
    torch.set_num_threads(1)
    python = environment(options.venv or user_cache_path("twotower") / "benchmark-peers")
    print(f"{machine()}; {', '.join(PINS)}; load {os.getloadavg()[0]:.1f}", flush=True)

    for size in options.logs:
        name, fold = small_log() if size == "small" else ("made-up", log_of(synthetic(LARGE)))
        with tempfile.TemporaryDirectory() as folder:
            pairs = torch.stack([fold.train.users, fold.train.items], 1)
            np.save(Path(folder, "pairs.npy"), pairs.numpy())
            peers = Peers(python, Path(folder))
            compare(name, fold, peers, options.turns, options.seconds)
            peers.close()


if __name__ == "__main__":
    main()
