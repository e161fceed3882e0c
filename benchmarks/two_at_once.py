"""Wall seconds of two default runs at once, against one alone; each with threads of its own choice.

python benchmarks/two_at_once.py [rounds]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from statistics import median

RUN = "import sys; from twotower.cli import main; main(sys.argv[1:])"
KEYS = ["tracking=none", "trainer.max_epochs=25", "trainer.patience=null", "trainer.refit=false"]


def seconds(folders: list[str], *keys: str) -> float:
    """Return the wall time of one run per folder, all at once."""
    started = time.perf_counter()
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, "train", *KEYS, *keys, f"output_dir={folder}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for folder in folders
    ]
    codes = [run.wait() for run in runs]
    if any(codes):
        raise SystemExit("a run failed")
    return time.perf_counter() - started


def main(rounds: int) -> None:
    """Print the medians and their ratio."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        for folder in (one, two):
            seconds([folder], "trainer.max_epochs=1")  # caches the data and the split
        found = [(seconds([one]), seconds([one, two])) for _ in range(rounds)]
    alone, both = (median(each) for each in zip(*found, strict=True))
    print(f"alone {alone:.1f} s, two at once {both:.1f} s, ratio {both / alone:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
