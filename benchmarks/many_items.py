"""One run on a log of many items, from the file to the test: seconds by phase and peak memory.

    python benchmarks/many_items.py                 # 3 million rows, 426,000 items, 30,000 users
    python benchmarks/many_items.py --share 0.1     # a tenth of each

The log is made up: every item has an interaction, further ones fall with the root of its rank. The
settings are the defaults of `twotower train`, but for one epoch: validation chooses it, the model
is refit on train and validation, and tested on all users next to popularity.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import twotower
from machine import machine
from twotower.core.memory import peak_gib

_ROWS, _ITEMS, _USERS = 3_000_000, 426_000, 30_000
_START, _YEAR = 1_700_000_000, 365 * 86_400


def write_log(path: Path, share: float, seed: int = 0) -> None:
    """Write a log of a share of the whole size as Parquet."""
    n_rows, n_items, n_users = (int(share * size) for size in (_ROWS, _ITEMS, _USERS))
    generator = np.random.default_rng(seed)
    items = (n_items * generator.random(n_rows) ** 2).astype(np.int64)
    items[:n_items] = np.arange(n_items)
    activity = np.cumsum(generator.gamma(1.0, size=n_users) + 0.1)
    users = np.searchsorted(activity, generator.random(n_rows) * activity[-1], side="right")
    times = _START + generator.integers(_YEAR, size=n_rows)
    pl.DataFrame({"user_id": users, "item_id": items, "timestamp": times}).write_parquet(path)


def measure(log: Path, folder: Path, overrides: list[str]) -> None:
    """Run once and print a table of one line."""
    started, cpu = time.perf_counter(), time.process_time()
    result = twotower.run(
        [
            *("dataset=file", f"dataset.path={log}", "preprocessing=none", "split=last_n"),
            *("trainer.max_epochs=1", f"output_dir={folder}", *overrides),
        ]
    )
    total, cpu = time.perf_counter() - started, time.process_time() - cpu
    selection, refit = result.fits
    assert result.validation is not None
    users = [len(judged.fold.holdout.users) for judged in (result.validation, result.judged)]
    seconds = (total, cpu, selection.seconds, selection.cost.validation_seconds, refit.seconds)
    print(machine())
    titles = ("validated", "tested", "whole run", "CPU", "selection", "validation", "refit", "peak")
    print(f"| {' | '.join(titles)} |")
    print(f"|{'---:|' * len(titles)}")
    cells = [*(f"{n:,}" for n in users), *(f"{value:,.1f} s" for value in seconds)]
    print(f"| {' | '.join([*cells, f'{peak_gib():.2f} GiB'])} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the whole size")
    parser.add_argument("overrides", nargs="*", help="further settings, such as tower.emb_dim=32")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)8d ms  %(message)s")
    for library in ("mlflow", "alembic", "lightning", "matplotlib"):
        logging.getLogger(library).setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary:
        log = Path(temporary) / "log.parquet"
        write_log(log, options.share)
        measure(log, Path(temporary) / "outputs", options.overrides)


if __name__ == "__main__":
    main()
