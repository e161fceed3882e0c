"""Filters and cuts of a streamed log by RePlay on Spark, row for row those of Polars."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from twotower.core.errors import ConfigError
from twotower.preprocessing.preprocessing import Preprocessing
from twotower.split.base import Part, Split
from twotower.types import FILE_ORDER, ITEM, RATING, TIMESTAMP, USER

__all__ = ["BUCKET", "PART", "TIE", "cut_on_spark", "spark_session"]

BUCKET, PART, TIE = "__bucket", "__part", "__tie"  # columns of the log on its way through Spark
_MOMENT, _COUNT = "__moment", "__count"


@contextmanager
def spark_session() -> Iterator[Any]:
    """Return the session of this process, or a new one that is stopped at the end.

    A new one runs on all cores of this machine, or where PYSPARK_SUBMIT_ARGS and Spark's own
    configuration place it.

    Raises:
        ConfigError: pyspark or Java is missing.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ConfigError(
            "preprocessing.engine: got spark, which needs pyspark and Java: pip install "
            "'twotower[spark]' and, on Debian, apt-get install default-jre-headless"
        ) from error
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    # Timestamps have no zone, and RePlay compares them with moments in that of the session.
    builder = SparkSession.builder.config("spark.sql.session.timeZone", "UTC")
    if "PYSPARK_SUBMIT_ARGS" not in os.environ:
        builder = builder.master("local[*]")
    try:
        session = builder.config("spark.ui.enabled", "false").getOrCreate()
    except (PySparkException, RuntimeError, OSError) as error:
        raise ConfigError(
            f"preprocessing.engine: got spark, and no session can be started: {error}; on Debian, "
            "apt-get install default-jre-headless installs Java"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def cut_on_spark(
    spark: Any,
    source: Path,
    target: Path,
    preprocessing: Preprocessing,
    split: Split,
    steps: list[str],
) -> int:
    """Filter and cut the log in `source`; write it to `target` by BUCKET, with its PART.

    Args:
        spark: The session.
        source: Parquet files with the columns of a log, BUCKET, and TIE, by which interactions of
            one user and moment are ordered.
        target: A folder of its own for each bucket: `__bucket=3`.
        preprocessing: Filters that Spark supports.
        split: One whose RePlay splitter is known.
        steps: Gets a sentence for each filter.

    Returns:
        How many users are left.
    """
    log = _once(spark.read.parquet(str(source)), preprocessing.duplicates)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of RePlay's use of Spark
        log = _filtered(log, preprocessing, steps).cache()
        split = split.settled(lambda: [_times(log)])
        rest, test = _cut(log, split, "test")
        parts = {"test": test, "train": rest}
        if split.validation:
            parts["train"], parts["validation"] = _cut(rest, split, "validation")
        _write(parts, target)
        n_users: int = log.select(USER).distinct().count()
        log.unpersist()
    return n_users


def _times(log: Any) -> pl.Series:
    """Return the timestamps, 8 bytes per row in this process."""
    return pl.Series(pl.from_arrow(log.select(TIMESTAMP).toArrow()[TIMESTAMP]))


def _once(log: Any, duplicates: str) -> Any:
    """Return the earliest (`once`) or latest row of each pair, as the canonical order has them."""
    from pyspark.sql import Window
    from pyspark.sql import functions as sf

    order = [TIMESTAMP, FILE_ORDER if FILE_ORDER in log.columns else RATING]
    columns = [sf.col(name) for name in order if name in log.columns]
    if duplicates == "last":
        columns = [column.desc() for column in columns]
    pairs = Window.partitionBy(USER, ITEM).orderBy(*columns)
    return log.withColumn("__n", sf.row_number().over(pairs)).filter("__n = 1").drop("__n")


def _filtered(log: Any, preprocessing: Preprocessing, steps: list[str]) -> Any:
    n_rows = log.count()
    for place, filter_ in enumerate(preprocessing.filters):
        log = filter_.transform(log)
        left = log.count()
        name = f"preprocessing.filters[{place}] ({type(filter_).__name__})"
        steps.append(f"{name} keeps {left:,} of {n_rows:,} interactions of the log, on Spark")
        n_rows = left
    return log


def _cut(log: Any, split: Split, part: Part) -> tuple[Any, Any]:
    """Return the rest and the part, as `Split.cut` does."""
    from pyspark.sql import Window
    from pyspark.sql import functions as sf

    splitter = split.splitter(part)
    if not split.counts:
        rest, held = splitter.split(log)
        return rest, held
    order = [sf.col(_MOMENT), sf.col(FILE_ORDER if FILE_ORDER in log.columns else TIE)]
    user = Window.partitionBy(USER)
    shown = (
        log.withColumnRenamed(TIMESTAMP, _MOMENT)
        .withColumn(TIMESTAMP, sf.row_number().over(user.orderBy(*order)))
        .withColumn(_COUNT, sf.count("*").over(user))
    )
    enough = sf.col(_COUNT) >= split.least
    rest, held = splitter.split(shown.filter(enough))
    few = shown.filter(~enough)
    return _with_moments(rest.unionByName(few)), _with_moments(held)


def _with_moments(shown: Any) -> Any:
    return shown.drop(TIMESTAMP, _COUNT).withColumnRenamed(_MOMENT, TIMESTAMP)


def _write(parts: dict[str, Any], target: Path) -> None:
    from pyspark.sql import functions as sf

    for name, frame in parts.items():
        named = frame.drop(TIE).withColumn(PART, sf.lit(name))
        named.write.mode("append").partitionBy(BUCKET).parquet(str(target))
