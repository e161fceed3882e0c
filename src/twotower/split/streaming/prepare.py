"""Filters and split of a log that is never in memory as a whole.

The rows are scattered over buckets by a hash of the user. What is decided per user, most filters
and the cuts, is decided bucket by bucket by the code that also handles whole logs; what depends on
all users, such as counts of items and moments that hold out a share, is computed in passes over the
buckets. So the parts hold the same rows as those of a log in memory.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock

from twotower.core.errors import DataError
from twotower.core.files import read_json, write_atomically
from twotower.dataset.digest import frames_digest
from twotower.preprocessing.preprocessing import Preprocessing
from twotower.preprocessing.streamed import filter_buckets
from twotower.split.base import Part, Split
from twotower.split.cut import tied_users
from twotower.split.prepare import cache_key
from twotower.split.streaming.buckets import Buckets, bucket_of, scatter
from twotower.split.streaming.spark import BUCKET, PART, TIE, cut_on_spark, spark_session
from twotower.types import (
    FILE_ORDER,
    ITEM,
    TIMESTAMP,
    USER,
    LogStream,
    StreamedFrames,
    tie_keys,
)

__all__ = ["IN_TRAIN", "ROWS_PER_BUCKET", "buckets_of", "prepare_streamed"]

ROWS_PER_BUCKET = 2_000_000
IN_TRAIN = "__train"  # column of history: whether the row is in train, rather than in validation
_META = "meta.json"

logger = logging.getLogger(__name__)


def prepare_streamed(
    log: LogStream,
    preprocessing: Preprocessing,
    split: Split,
    cache_dir: Path,
    config: Mapping[str, Any],
) -> StreamedFrames:
    """Return the parts of `log`, from `cache_dir` if they are cached.

    Args:
        log: The log.
        preprocessing: Filters of which `preprocessing.streamed.unsupported` reports none.
        split: One that cuts `by_user`.
        cache_dir: Where the rows are written.
        config: The nodes that `preprocessing` and `split` were made of; see `prepare`.

    Raises:
        DataError: A filter or a part of the split leaves nothing, or a column is missing.
    """
    folder = cache_dir / f"{cache_key(log.digest, config)}-streamed"
    cache_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if read_json(folder / _META) is None:
            build = _Build(log, preprocessing, split)
            write_atomically(folder, build.write)
    meta = read_json(folder / _META)
    for step in meta["steps"]:
        logger.info(step)
    test = pl.read_parquet(folder / "test.parquet")
    validation = pl.read_parquet(folder / "validation.parquet") if split.validation else None
    digest = frames_digest({"validation": validation, "test": test})
    digest = hashlib.sha256(f"{folder.name} {digest}".encode()).hexdigest()
    features = frames_digest({"users": log.users, "items": log.items})
    return StreamedFrames(
        validation=validation,
        validation_known=None,
        test=test,
        test_known=None,
        history=test.clear(),
        in_train=None,
        users=log.users,
        items=log.items,
        n_users=meta["n_users"],
        digest=digest,
        identity=hashlib.sha256(f"{digest} {features}".encode()).hexdigest(),
        folder=folder,
    )


def buckets_of(frames: StreamedFrames) -> Buckets:
    """Return all rows before the test part, with the column IN_TRAIN."""
    return Buckets(frames.folder / "history", read_json(frames.folder / _META)["n_buckets"])


@dataclass
class _Build:
    """One preparation.

    Attributes:
        steps: A sentence for each thing done.
        held: The held-out rows of each bucket, by part.
        counts: What the sentences count.
    """

    log: LogStream
    preprocessing: Preprocessing
    split: Split
    steps: list[str] = field(default_factory=list)
    held: dict[Part, list[pl.DataFrame]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def write(self, folder: Path) -> None:
        """Write history, validation and test to `folder`."""
        n = -(-self.log.n_rows // ROWS_PER_BUCKET)
        if self.preprocessing.engine == "spark":
            buckets, n_users = self._cut_by_spark(folder, n)
        else:
            buckets = scatter(self._timed(self.log.batches()), folder / "history", n)
            n_users = self._cut_by_polars(buckets)
        self._note_cuts()
        for part in ("validation", "test") if self.split.validation else ("test",):
            frame = self._part(part, buckets)
            frame.write_parquet(folder / f"{part}.parquet")
        meta = {"n_buckets": n, "n_users": n_users, "steps": self.steps}
        # Plain JSON: nothing in it is secret.
        (folder / _META).write_text(json.dumps(meta))

    def _timed(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Yield `batches`; raise DataError if they have no timestamps."""
        for batch in batches:
            if TIMESTAMP not in batch.columns:
                raise DataError(
                    f"{self.split} orders interactions by time, and the log has no timestamps: set "
                    "dataset.columns.timestamp, or dataset.order=file if its lines are in order of "
                    "time"
                )
            yield batch

    def _cut_by_polars(self, buckets: Buckets) -> int:
        """Turn all rows into history; return the number of users. Keep the held-out rows."""
        left: list[int] = []

        def once() -> int:
            if not left:
                left.append(buckets.update(self._once))
            return left[0]

        def times() -> Iterator[pl.Series]:
            once()
            return buckets.column(TIMESTAMP)

        if self.preprocessing.filters:
            self._note_repeats(once())
            self._filter(buckets, once())
        self.split = self.split.settled(times)
        # Nothing needs all rows without repeats: both steps in one pass.
        buckets.update(self._cut if left else lambda log: self._cut(self._once(log)))
        if not self.preprocessing.filters:
            self._note_repeats(self.counts["all"])
        return self.counts["users"]

    def _cut_by_spark(self, folder: Path, n: int) -> tuple[Buckets, int]:
        """Return history in buckets, and the number of users; keep the held-out rows."""
        batches = (
            batch.with_columns(
                pl.Series(BUCKET, bucket_of(batch[USER], n)).cast(pl.Int32),
                tie_keys(batch).alias(TIE),
            )
            for batch in self._timed(self.log.batches())
        )
        source, target = folder / "source", folder / "spark"
        scatter(batches, source, n)
        with spark_session() as spark:
            n_users = cut_on_spark(
                spark, source, target, self.preprocessing, self.split, self.steps
            )
        shutil.rmtree(source)
        buckets = Buckets(folder / "history", n)
        buckets.folder.mkdir()
        known = pl.read_parquet(next(target.rglob("*.parquet"))).clear()
        for place in range(n):
            files = list((target / f"{BUCKET}={place}").glob("*.parquet"))
            rows = pl.concat([pl.read_parquet(file, glob=False) for file in files] or [known])
            buckets[place] = self._take(rows)
        shutil.rmtree(target)
        return buckets, n_users

    def _take(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Keep the held-out rows of a bucket; return its history with IN_TRAIN."""
        rows = rows.with_columns(pl.col(TIMESTAMP).cast(pl.Datetime("us")))
        history = rows.filter(pl.col(PART) != "test")
        self.counts["all"] += len(rows)
        self.counts["history"] += len(history)
        self._keep(rows, history, rows.filter(pl.col(PART) == "test"), "test")
        if self.split.validation:
            train = history.filter(pl.col(PART) == "train")
            self._keep(history, train, history.filter(pl.col(PART) == "validation"), "validation")
        in_train = pl.col(PART) == "train"
        self.counts["train"] += int(history.select(in_train.sum()).item())
        kept = self.log.in_order(history.drop(PART)).columns
        return history.sort(TIMESTAMP, USER, ITEM).select(*kept, in_train.alias(IN_TRAIN))

    def _once(self, log: pl.DataFrame) -> pl.DataFrame:
        """Return a bucket in canonical order, without repeated pairs."""
        return self.preprocessing.without_repeats(self.log.in_order(log))

    def _note_repeats(self, left: int) -> None:
        if left < self.log.n_rows:
            repeated = self.log.n_rows - left
            self.steps.append(self.preprocessing.repeats_note(repeated, self.log.n_rows))

    def _filter(self, buckets: Buckets, left: int) -> None:
        left = filter_buckets(self.preprocessing.filters, buckets, left, self.steps)
        if not left:
            raise DataError(
                f"The filters leave nothing of the log. So far: {'; '.join(self.steps)}. Loosen "
                "preprocessing.filters."
            )

    def _cut(self, log: pl.DataFrame) -> pl.DataFrame:
        """Keep the held-out rows of a bucket; return its history with IN_TRAIN."""
        self.counts["all"] += len(log)
        self.counts["users"] += log[USER].n_unique()
        history = self._hold(log, "test")
        self.counts["history"] += len(history)
        if not self.split.validation:
            return history.with_columns(pl.lit(True).alias(IN_TRAIN))
        numbered = history.with_row_index(IN_TRAIN)
        train = self._hold(numbered, "validation")
        self.counts["train"] += len(train)
        return numbered.with_columns(pl.col(IN_TRAIN).is_in(train[IN_TRAIN].implode()))

    def _hold(self, log: pl.DataFrame, part: Part) -> pl.DataFrame:
        """Cut `part` off `log` and keep it, without cold users if they drop; return the rest."""
        if log.is_empty():
            self.held.setdefault(part, []).append(log.drop(IN_TRAIN, strict=False))
            return log
        rest, held = self.split.cut(log, part)
        self._keep(log, rest, held, part)
        return rest

    def _keep(self, log: pl.DataFrame, rest: pl.DataFrame, held: pl.DataFrame, part: Part) -> None:
        """Keep the rows `held` of `part`, cut off `log`, without cold users if they drop."""
        self.counts[part] += len(held)
        if FILE_ORDER not in log.columns:
            self.counts[f"{part} tied"] += tied_users(rest, held)
            self.counts[f"{part} users"] += held[USER].n_unique()
        if self.split.drop_cold_users:
            warm = held.join(rest.select(USER), on=USER, how="semi", maintain_order="left")
            self.counts[f"{part} cold"] += len(held) - len(warm)
            held = warm
        self.held.setdefault(part, []).append(held.drop(IN_TRAIN, PART, strict=False))

    def _note_cuts(self) -> None:
        counts = self.counts
        self.steps.append(
            f"{counts['all']:,} interactions: {counts['history']:,} before test, "
            f"{counts['test']:,} test"
        )
        if self.split.validation:
            self.steps.append(
                f"before test: {counts['train']:,} train, {counts['validation']:,} validation"
            )
        for part in self.held:
            if counts[f"{part} tied"]:
                self.steps.append(
                    f"{part}: {counts[f'{part} tied']:,} of {counts[f'{part} users']:,} users are "
                    "cut between interactions of one moment; which of these are held out is drawn "
                    "independently of their ids (dataset.order=file takes the order of the lines "
                    "instead)"
                )

    def _part(self, part: Part, buckets: Buckets) -> pl.DataFrame:
        """Return the ground truth of `part`."""
        held = self.log.in_order(pl.concat(self.held[part]))
        if self.split.drop_cold_users:
            cold = self.counts[f"{part} cold"]
            self.steps.append(f"{part}: {cold:,} interactions of cold users drop")
        self.split.refuse_empty(held, part, self.steps)
        if self.split.drop_cold_items:
            known = pl.concat(
                [
                    (rows.filter(IN_TRAIN) if part == "validation" else rows)[ITEM].unique()
                    for rows in buckets.columns(ITEM, IN_TRAIN)
                ]
            ).unique()
            warm = held.filter(pl.col(ITEM).is_in(known.implode()))
            self.steps.append(f"{part}: {len(held) - len(warm):,} interactions of cold items drop")
            self.split.refuse_empty(warm, part, self.steps)
            held = warm
        return self.preprocessing.relevant(held, part, self.steps)
