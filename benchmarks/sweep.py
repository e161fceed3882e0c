"""What a sweep costs beside its training, and what two workers gain.

    python benchmarks/sweep.py

MovieLens 100K, tracked in SQLite as by default. Overhead of a trial: the wall time that ten more
trials add to a sweep of two, less their training, a trial; everything counts that is not in a fit:
composing and checking the config, the data, the ranking of the kept epoch, what is logged. Workers:
the wall time of a grid of twelve trials with two joblib workers over that of the same grid one
trial after the other, start and report included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

TWOTOWER = str(Path(sys.executable).with_name("twotower"))
SHORT = ["trainer.max_epochs=3", "evaluation.test=never"]
# Ten seconds a trial and more, at the batch size of the default recipe.
COMPUTE = [
    "tower.emb_dim=16,32,48,64",
    "negative_sampling.num_negatives=5,10,15",
    "trainer.max_epochs=30",
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


def overhead() -> float:
    """Seconds a trial."""
    few, few_fits = sweep("seed=0,1", *SHORT)
    many, many_fits = sweep("seed=" + ",".join(map(str, range(12))), *SHORT)
    return (many - few - (many_fits - few_fits)) / 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=3, help="of the overhead (default 3)")
    options = parser.parse_args()
    sweep("seed=0,1", *SHORT)  # the dataset is fetched, files are in the disk's cache
    found = sorted(overhead() for _ in range(options.turns))
    print(f"overhead of a trial: {median(found):.2f} s ({found[0]:.2f} to {found[-1]:.2f})")
    sequential, _ = sweep(*COMPUTE)
    parallel, _ = sweep(*COMPUTE, *WORKERS)
    print(f"12 trials one after the other: {sequential:.1f} s")
    print(f"12 trials by two workers: {parallel:.1f} s, {parallel / sequential:.2f} of it")


if __name__ == "__main__":
    main()
