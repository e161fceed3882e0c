"""What sweeps cost: the README's, a trial beside its training, and what two workers gain.

    python benchmarks/sweep.py

MovieLens 100K, tracked in SQLite as by default. In wall time, start and report included:

- The README's sweep of twelve trials, beside the training of the same twelve settings by the
  notebook's loop: 30 epochs each, as it is published, of which one is timed; no evaluation.
- Overhead of a trial: the wall time that ten more trials add to a sweep of two, less their
  training, a trial; everything counts that is not in a fit: composing and checking the config, the
  data, the ranking of the kept epoch, what is logged.
- Workers: a grid of twelve trials of about ten seconds with two joblib workers, over the same grid
  one trial after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from machine import machine
from training_step import notebook_epoch, notebook_fold

TWOTOWER = str(Path(sys.executable).with_name("twotower"))
DIMS, NEGATIVES, NOTEBOOK_EPOCHS = (8, 16, 32, 64), (1, 5, 10), 30
README = ["tower.emb_dim=8,16,32,64", "negative_sampling.num_negatives=1,5,10"]
SHORT = ["trainer.max_epochs=3", "evaluation.test=never"]
COMPUTE = [
    "tower.emb_dim=16,32,48,64",
    "negative_sampling.num_negatives=5,10,15",
    "trainer.patience=null",
    "evaluation.test=never",
]
WORKERS = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]


def sweep(*overrides: str) -> tuple[float, float]:
    """Wall time of a sweep in a fresh store, and the seconds of all its fits."""
    with tempfile.TemporaryDirectory(prefix="twotower-") as folder:
        command = [TWOTOWER, "train", "-m", *overrides, f"output_dir={folder}"]
        started = time.perf_counter()
        subprocess.run(
            [*command, "trainer.progress_bar=false"], check=True, capture_output=True, text=True
        )
        seconds = time.perf_counter() - started
        outcomes = Path(folder, "sweeps").glob("*/*/outcome.json")
        metrics = [json.loads(path.read_text())["metrics"] for path in outcomes]
        return seconds, sum(values["train/seconds"] for values in metrics)


def notebook() -> float:
    """Wall time of the notebook's training of the README's settings."""
    fold = notebook_fold()
    started = time.perf_counter()
    for dim in DIMS:
        for num_negatives in NEGATIVES:
            notebook_epoch(fold, num_negatives, batch_size=1024, dim=dim)
    return NOTEBOOK_EPOCHS * (time.perf_counter() - started)


def readme() -> None:
    """Compare the README's sweep."""
    loop = notebook()
    seconds, fits = sweep(*README)
    print(f"the README's sweep: {seconds:.1f} s, of which fits {fits:.1f} s")
    print(f"the notebook's loop, the same settings, {NOTEBOOK_EPOCHS} epochs each: {loop:.0f} s")


def overhead() -> float:
    """Seconds a trial."""
    few, few_fits = sweep("seed=0,1", *SHORT)
    many, many_fits = sweep("seed=" + ",".join(map(str, range(12))), *SHORT)
    return (many - few - (many_fits - few_fits)) / 10


def workers(epochs: int) -> None:
    """Compare two workers with one."""
    compute = [*COMPUTE, f"trainer.max_epochs={epochs}"]
    alone, fits = sweep(*compute)
    both, _ = sweep(*compute, *WORKERS)
    print(f"12 trials one after the other: {alone:.1f} s, a fit {fits / 12:.1f} s")
    print(f"12 trials by two workers: {both:.1f} s, {both / alone:.2f} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=3, help="of the overhead (default 3)")
    parser.add_argument(
        "--epochs", type=int, default=200, help="of the workers' trials (default 200)"
    )
    parts = ["readme", "overhead", "workers"]
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    options = parser.parse_args()
    print(f"{machine()}; load {os.getloadavg()[0]:.1f}", flush=True)
    sweep("seed=0,1", *SHORT)  # the dataset is fetched, files are in the disk's cache
    if "readme" in options.parts:
        readme()
    if "overhead" in options.parts:
        found = sorted(overhead() for _ in range(options.turns))
        print(f"overhead of a trial: {median(found):.2f} s ({found[0]:.2f} to {found[-1]:.2f})")
    if "workers" in options.parts:
        workers(options.epochs)


if __name__ == "__main__":
    main()
