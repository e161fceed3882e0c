"""Training and exact evaluation on one GPU, as a share of its memory bandwidth.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --settings notebook gowalla

Logs are made up, of the size of MovieLens 100K and Gowalla, and one of a million users and items:
times depend on sizes alone. Each fit is timed from its first epoch's end to its last one's. The
bandwidth is that of copying a gigabyte in the same process. Bytes of a step are those that it must
move: both tables, with dense gradients and Adam, eight times (gradient written, then read with
parameter and two moments, of which three are written), and each embedding that is looked up or
receives a gradient, once. Without a GPU nothing is measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import torch

from evaluation import fold_of
from machine import machine
from twotower.config import build, compose
from twotower.model import TwoTower
from twotower.running.experiment import Experiment
from twotower.training import Objective
from twotower.types import Fold

_FLOAT = 4  # bytes
_TABLE_PASSES = 8


@dataclass(frozen=True)
class Setting:
    """The overrides of a run, and the size of its log."""

    overrides: tuple[str, ...]
    users: int
    items: int
    per_user: int
    epochs: int
    negatives: int  # looked up per step, or per positive where each has its own
    own: bool


_POOL = ("negative_sampling=shared", "loss=sampled_softmax", "tower.emb_dim=64")
SETTINGS = {
    "notebook": Setting(("experiment=notebook",), 943, 1_682, 106, 30, 10, True),
    "gowalla": Setting(
        (*_POOL, "negative_sampling.num_negatives=1024", "trainer.batch_size=1024"),
        *(29_858, 40_981, 27, 10, 1024, False),
    ),
    "million": Setting(
        (*_POOL, "negative_sampling.num_negatives=4096", "trainer.batch_size=16384"),
        *(1_000_000, 1_000_000, 10, 3, 4096, False),
    ),
}


@dataclass(frozen=True)
class Measured:
    """Seconds of an epoch and of an evaluation, and what an epoch trains on and moves."""

    epoch: float
    evaluation: float
    positives: int
    bytes: int


def measured(setting: Setting, accelerator: str) -> Measured:
    """Fit and evaluate once."""
    overrides = [*setting.overrides, f"trainer.accelerator={accelerator}"]
    experiment: Experiment = build(compose("train", [*overrides, "trainer.kernel=autograd"]))
    fold = fold_of(setting.users, setting.items, per_user=setting.per_user)
    model = TwoTower.build(
        experiment.tower, users=fold.users, items=fold.items, seed=0, train=fold.train
    )
    ends: list[float] = []
    fitted = replace(experiment.trainer, progress_bar=False).fit(
        model,
        fold,
        Objective(experiment.negative_sampling, experiment.loss, experiment.optimizer),
        seed=0,
        epochs=setting.epochs,
        # The loss of the epoch was read by then, so that the device has done all its work.
        on_epoch=lambda *_: ends.append(time.perf_counter()),
    )
    device = torch.device("cuda" if accelerator == "gpu" else "cpu")
    return Measured(
        epoch=(ends[-1] - ends[0]) / (len(ends) - 1),
        evaluation=_evaluation(experiment, fitted.model.to(device), fold),
        positives=len(fold.train),
        bytes=_bytes(setting, experiment, len(fold.train)),
    )


def _evaluation(experiment: Experiment, model: TwoTower, fold: Fold) -> float:
    """Return the seconds of ranking all users and measuring the lists, the second time."""
    seconds = 0.0
    for _ in range(2):
        started = time.perf_counter()
        lists = experiment.evaluation.recommend(model.scorer(fold.train_histories), fold)
        experiment.evaluation.measure(lists, fold)
        seconds = time.perf_counter() - started
    return seconds


def _bytes(setting: Setting, experiment: Experiment, positives: int) -> int:
    """Return the bytes that an epoch must move."""
    size = experiment.trainer.batch_size
    steps = -(-positives // size)
    rows = 2 * positives + setting.negatives * (positives if setting.own else steps)
    tables = steps * _TABLE_PASSES * (setting.users + setting.items)
    dim: int = experiment.config["tower"]["emb_dim"]
    return (tables + 2 * rows) * dim * _FLOAT


def bandwidth(device: str, size: int = 1 << 30) -> float:
    """Return the bytes per second, read and written, of a copy within the device's memory."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        target.copy_(source)
        if device != "cpu":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size / best


def report(names: list[str], accelerator: str, device: str, settings: dict[str, Setting]) -> None:
    """Print a line for each setting."""
    peak = bandwidth(device)
    print(f"bandwidth of a copy: {peak / 1e9:,.0f} GB/s")
    print("| setting | users x items | positives/s | epoch | of the bandwidth | evaluation |")
    print("|---|---|---:|---:|---:|---:|")
    for name in names:
        setting = settings[name]
        found = measured(setting, accelerator)
        share = found.bytes / found.epoch / peak
        print(
            f"| {name} | {setting.users:,} x {setting.items:,} "
            f"| {found.positives / found.epoch:,.0f} | {found.epoch:.2f} s | {share:.0%} "
            f"| {found.evaluation:.2f} s |",
            flush=True,
        )


def main(arguments: Any = None) -> None:
    """Measure, or exit with 1 and a message where there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        sys.exit(
            f"benchmarks/gpu.py: no GPU was found by torch {torch.__version__}, so nothing was "
            "measured; it needs one, and the build of torch for it"
        )
    print(f"{torch.cuda.get_device_name()}; {machine()}")
    report(options.settings, "gpu", "cuda", SETTINGS)


if __name__ == "__main__":
    main()
