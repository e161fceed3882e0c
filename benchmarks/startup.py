"""CPU seconds from the command to the end of a debug run, next to those of its imports alone.

Each pair runs in turn, in processes of its own, so that the load of the machine falls on both:

    python benchmarks/startup.py [pairs]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median

IMPORTS = "import torch, pytorch_lightning, polars, replay.metrics"
RUNS = {
    "untracked": (IMPORTS, ["tracking=none"]),
    "tracked": (f"{IMPORTS}, mlflow, mlflow.store.tracking.sqlalchemy_store", []),
}


def cpu_seconds(code: str, *arguments: str) -> float:
    """Return user and system seconds of a process that runs `code`."""
    before = os.times()
    command = [sys.executable, "-c", code, *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    children = after.children_user - before.children_user
    return children + after.children_system - before.children_system


def main(pairs: int) -> None:
    """Print the median of each, and of the differences within the pairs."""
    command = "import sys; from twotower.cli import main; main(sys.argv[1:])"
    with tempfile.TemporaryDirectory() as folder:
        for name, (imports, overrides) in RUNS.items():
            run = ["train", "debug=fast_dev_run", f"output_dir={folder}", *overrides]
            cpu_seconds(command, *run)  # caches the data and the split
            found = [(cpu_seconds(imports), cpu_seconds(command, *run)) for _ in range(pairs)]
            alone, whole = (median(each) for each in zip(*found, strict=True))
            more = median(both - first for first, both in found)
            print(
                f"{name:10} imports {alone:.2f} s, debug run {whole:.2f} s, difference {more:.2f} s"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
