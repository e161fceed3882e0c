"""Time and peak memory of each phase of a run by the size of the log.

    python benchmarks/scale.py                          # 1 and 10 million interactions
    python benchmarks/scale.py --rows 100e6 --paths streaming --folder large

With --folder, logs, prepared data and what is measured are kept: the same command continues after
the last phase that was finished, and --until stops after one, so that hours can be cut in pieces.

A made-up log, sorted by item, is written as Parquet (columns user_id, item_id, timestamp; a user
has 100 interactions, an item 500 on average), read, prepared with split=last_n, encoded and
trained on for one epoch. Each size and path is a process of its own. The peak of a phase is the
resident memory above that of the started process, without pages of mapped files; bytes per row are
the highest of these over the number of rows.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

PHASES = ("prepare", "encode", "train")
_ROWS_AT_ONCE = 4_000_000
_TASTES = 32
_YEAR = 365 * 86_400
SETTING = [
    "dataset=file",
    "preprocessing=none",
    "split=last_n",
    "negative_sampling=shared",
    "negative_sampling.num_negatives=256",
    "negative_sampling.exclude_seen=false",
    "loss=sampled_softmax",
    "tower.emb_dim=16",
    "trainer.batch_size=16384",
    "trainer.progress_bar=false",
    "tracking=none",
    "baselines=null",
]


def write_log(path: Path, n_rows: int, seed: int = 0) -> None:
    """Write a log of `n_rows` with a taste for a model to find, sorted by item, in row groups.

    Items and users have one of 32 tastes, their id modulo 32. An interaction is of the user's taste
    with probability 0.7, and of any else; within a taste popularity falls with the root of the
    rank. Memory is that of 4 million rows at a time and 4 bytes per row.
    """
    n_users, n_items = max(n_rows // 100, 64), max(n_rows // 500, 64)
    per_taste = n_items // _TASTES
    generator = np.random.default_rng(seed)
    ranks = (per_taste * generator.random(n_rows, dtype=np.float32) ** 2).astype(np.int32)
    np.minimum(ranks, per_taste - 1, out=ranks)
    ranks *= _TASTES
    for start in range(0, n_rows, _ROWS_AT_ONCE):
        block = ranks[start : start + _ROWS_AT_ONCE]
        block += generator.integers(_TASTES, size=len(block), dtype=np.int32)
    ranks.sort()  # from here on the items
    schema = pa.schema(
        [("user_id", pa.int64()), ("item_id", pa.int64()), ("timestamp", pa.int64())]
    )
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, n_rows, _ROWS_AT_ONCE):
            items = ranks[start : start + _ROWS_AT_ONCE].astype(np.int64)
            writer.write_table(_block(items, n_users, generator, schema), row_group_size=500_000)


def _block(
    items: NDArray[np.int64], n_users: int, generator: np.random.Generator, schema: pa.Schema
) -> pa.Table:
    alike = generator.random(len(items)) < 0.7
    taste = np.where(alike, items % _TASTES, generator.integers(_TASTES, size=len(items)))
    users = generator.integers(n_users // _TASTES, size=len(items)) * _TASTES + taste
    times = 1_700_000_000 + generator.integers(_YEAR, size=len(items))
    return pa.table([users, items, times], schema=schema)


class Phases:
    """Seconds and peak resident memory of named phases, which are kept in a file."""

    def __init__(self, file: Path) -> None:
        self.base = anonymous_memory()
        self._file = file
        self.measured: dict[str, tuple[float, int]] = (
            json.loads(file.read_text()) if file.exists() else {}
        )

    def run(self, name: str, work: Callable[[], Any]) -> Any:
        """Return what `work` returns; measure it if that was not done before."""
        sampler = _Sampler()
        started, cpu = time.perf_counter(), time.process_time()
        result = work()
        seconds, peak = time.perf_counter() - started, sampler.stop() - self.base
        if name not in self.measured:
            self.measured[name] = (seconds, peak)
            self._file.write_text(json.dumps(self.measured))
            of_cpu = f"of CPU {time.process_time() - cpu:.1f} s"
            print(f"{name}: {seconds:.1f} s, {of_cpu}, {peak / 2**20:,.0f} MiB", file=sys.stderr)
        return result


class _Sampler(threading.Thread):
    """Reads the memory of this process every 10 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._stopped = threading.Event()
        self._peak = 0
        self.start()

    def run(self) -> None:
        while not self._stopped.wait(0.01):
            self._peak = max(self._peak, anonymous_memory())

    def stop(self) -> int:
        """Return the peak in bytes."""
        self._stopped.set()
        self.join()
        return max(self._peak, anonymous_memory())


def anonymous_memory() -> int:
    """Return the resident memory of this process in bytes, without pages of mapped files.

    Those are the operating system's cache of the disk, which it drops when memory is short.
    """
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def measure(log: Path, path: str, output: Path, until: str) -> dict[str, Any]:
    """Run the phases to `until` on `log` by `path`, memory or streaming."""
    from twotower.config import build, compose
    from twotower.model import TwoTower
    from twotower.running.experiment import Experiment
    from twotower.split.fold import fold_of
    from twotower.training import Objective

    overrides = [*SETTING, f"dataset.path={log}", f"output_dir={output}"]
    overrides.append(f"dataset.streaming={str(path == 'streaming').lower()}")
    experiment: Experiment = build(compose("train", overrides))
    output.mkdir(exist_ok=True)
    phases = Phases(output / "measured.json")
    frames = phases.run("prepare", lambda: experiment.load()[1])
    if until == "prepare":
        return {"phases": phases.measured}
    fold = phases.run("encode", lambda: fold_of(frames, "validation", experiment.split))
    sizes = {"users": fold.train.n_users, "items": fold.train.n_items, "phases": phases.measured}
    if until == "encode":
        return sizes
    model = TwoTower.build(experiment.tower, users=fold.users, items=fold.items, seed=0)
    objective = Objective(experiment.negative_sampling, experiment.loss, experiment.optimizer)
    phases.run(
        "train",
        lambda: experiment.trainer.fit(
            model, fold, objective, seed=0, epochs=1, on_epoch=lambda *_: None
        ),
    )
    return {**sizes, "positives_per_second": len(fold.train) / phases.measured["train"][0]}


def show(path: str, rows: int, measured: dict[str, Any]) -> str:
    """Return a line of the table."""
    phases = measured["phases"]
    peak = max(high for _, high in phases.values())
    cells = [f"{seconds:,.1f} s, {high / 2**20:,.0f} MiB" for seconds, high in phases.values()]
    cells += [""] * (len(PHASES) - len(cells))
    sizes = [f"{rows:,}", *(f"{measured.get(key, 0):,}" for key in ("users", "items"))]
    speed = f"{measured.get('positives_per_second', 0):,.0f}"
    return f"| {' | '.join([path, *sizes, *cells, speed, f'{peak / rows:,.0f}'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=float, nargs="+", default=[1e6, 10e6])
    parser.add_argument("--paths", nargs="+", default=["memory", "streaming"])
    parser.add_argument("--folder", type=Path, help="what is kept; default: a temporary one")
    parser.add_argument("--until", choices=PHASES, default=PHASES[-1], help="the last phase")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)  # log and path, of a child
    options = parser.parse_args()
    if options.measure:
        log, path = options.measure
        output = options.folder / f"{Path(log).stem}_{path}"
        print(json.dumps(measure(Path(log), path, output, options.until)))
        return
    print("| path | rows | users | items | prepare | encode | train | positives/s | bytes/row |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = options.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        for rows in map(int, options.rows):
            log = folder / f"log_{rows}.parquet"
            if not log.exists():
                write_log(log, rows)
            for path in options.paths:
                command = [sys.executable, __file__, "--folder", str(folder)]
                command += ["--until", options.until, "--measure"]
                done = subprocess.run(
                    [*command, str(log), path], stdout=subprocess.PIPE, check=True
                )
                last = done.stdout.decode().splitlines()[-1]
                print(show(path, rows, json.loads(last)), flush=True)


if __name__ == "__main__":
    main()
