"""A streamed log has the parts of a log in memory, and is trained on as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from twotower.config import build, compose
from twotower.core.errors import ConfigError, DataError
from twotower.dataset import parquet_log
from twotower.running.experiment import Experiment
from twotower.split.fold import fold_of
from twotower.split.streaming import fold as streaming_fold
from twotower.split.streaming import prepare as streaming_prepare
from twotower.types import BlockOrder, Fold, StreamedTrain

BASE = ["dataset=file", "tracking=none", "baselines=null", "trainer.progress_bar=false"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with a taste to find, repeated pairs and moments, sorted by item, in two files."""
    overrides = ["dataset=synthetic", "dataset.n_users=300", "dataset.n_items=80"]
    dataset = build(compose("train", [*overrides, "dataset.n_interactions=7000"])).dataset
    frame = dataset.load().log.with_columns(pl.col("timestamp").dt.truncate("2h"))
    frame = pl.concat([frame, frame.gather_every(9)]).sort(
        "item_id", "user_id", maintain_order=True
    )
    folder = tmp_path_factory.mktemp("log")
    frame[:3000].write_parquet(folder / "a.parquet", row_group_size=700)
    frame[3000:].write_parquet(folder / "b.parquet", row_group_size=700)
    return folder


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming_prepare, "ROWS_PER_BUCKET", 1000)
    monkeypatch.setattr(parquet_log, "_ROWS_AT_ONCE", 900)
    monkeypatch.setattr(streaming_fold, "BLOCK", 50)
    monkeypatch.setattr(streaming_fold, "BLOCKS_AT_ONCE", 8)


def experiment(log: Path, output: Path, *overrides: str, streaming: bool) -> Experiment:
    given = [f"dataset.path={log}", f"output_dir={output}", "dataset.columns.rating=rating"]
    more = [f"dataset.streaming={str(streaming).lower()}", *overrides]
    built: Experiment = build(compose("train", [*BASE, *given, *more]))
    return built


CHOICES = [
    ["preprocessing=none", "split=last_n", "split.n=2"],
    ["preprocessing=k_core", "split=ratio", "preprocessing.filters.0.min_inter_per_item=30"],
    ["preprocessing=notebook", "split=time", "preprocessing.duplicates=last"],
    [
        "preprocessing=low_rating",
        "split=last_n",
        "dataset.order=file",
        "split.drop_cold_items=false",
    ],
]


@pytest.mark.parametrize("overrides", CHOICES, ids=lambda choice: choice[0])
def test_the_parts_and_folds_are_those_of_a_log_in_memory(
    log: Path, tmp_path: Path, overrides: list[str]
) -> None:
    whole = experiment(log, tmp_path, *overrides, streaming=False)
    streamed = experiment(log, tmp_path, *overrides, streaming=True)
    frames, parts = whole.load()[1], streamed.load()[1]
    assert_frame_equal(parts.test, frames.test)
    assert parts.validation is not None
    assert frames.validation is not None
    assert_frame_equal(parts.validation, frames.validation)
    assert parts.n_users == frames.n_users
    for part, on_train in (("validation", False), ("test", False), ("test", True)):
        fold = fold_of(frames, part, whole.split, on_train=on_train)  # type: ignore[arg-type]
        same = fold_of(parts, part, streamed.split, on_train=on_train)  # type: ignore[arg-type]
        assert isinstance(same.train, StreamedTrain)
        assert same.vocabulary.users.equals(fold.vocabulary.users)
        assert same.vocabulary.items.equals(fold.vocabulary.items)
        for name in ("histories", "holdout.relevant", "holdout.seen", "train.items_by_user"):
            _assert_same_lists(fold, same, name)
        _assert_same_lists(fold, same, "train.histories")
        assert torch.equal(same.holdout.users, fold.holdout.users)
        assert _rows(same) == _rows(fold)


def _assert_same_lists(fold: Fold, same: Fold, name: str) -> None:
    one: Any = fold
    other: Any = same
    for attribute in name.split("."):
        one, other = getattr(one, attribute), getattr(other, attribute)
    assert other.offsets.tolist() == one.offsets.tolist(), name
    assert other.items.tolist() == one.items.tolist(), name


def _rows(fold: Fold) -> list[tuple[int, ...]]:
    train = fold.train
    assert train.timestamps is not None
    assert train.before is not None
    columns = (train.users, train.items, train.timestamps, train.before)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_metrics_are_those_in_memory_within_noise(log: Path, tmp_path: Path) -> None:
    """Four seeds: the means differ by less than two standard errors of their difference."""
    found: dict[bool, list[float]] = {}
    for streaming in (False, True):
        for seed in range(4):
            run = experiment(
                log,
                tmp_path,
                *("preprocessing=none", "split=last_n", "split.n=5", f"seed={seed}"),
                *("trainer.max_epochs=8", "trainer.batch_size=256", "trainer.refit=false"),
                *("optimizer.lr=0.02", "evaluation.test=never", "trainer.patience=null"),
                streaming=streaming,
            )
            result = run.run("run", lambda *_: None)
            assert result.validation is not None
            values = found.setdefault(streaming, [])
            values.append(result.validation.metrics["val/ndcg_at_10"])
    one, other = (torch.tensor(found[key]) for key in (False, True))
    error = float(((one.var() + other.var()) / 4).sqrt())
    assert abs(float(one.mean() - other.mean())) < 2 * error + 1e-4
    assert float(other.mean()) > 0.1  # a random ranking has about 0.06


def test_every_row_comes_once_in_an_order_of_its_own() -> None:
    order = BlockOrder(n=1003, block=10, at_once=7)
    epochs = []
    for seed in range(2):
        batches = list(order.batches(torch.Generator().manual_seed(seed), 64))
        assert [len(batch) for batch in batches] == [64] * 15 + [43]
        epochs.append(torch.cat(batches))
        assert epochs[-1].sort().values.tolist() == list(range(1003))
    assert not torch.equal(*epochs)


def test_the_order_does_not_follow_storage() -> None:
    """Rows in order of storage would correlate with their places by 1, and fill few batches."""
    order = BlockOrder(n=200_000, block=1000, at_once=20)
    rows = torch.cat(list(order.batches(torch.Generator().manual_seed(0), 512)))
    correlation = torch.corrcoef(torch.stack([rows.double(), torch.arange(200_000.0).double()]))
    assert abs(float(correlation[0, 1])) < 0.2
    neighbours = (rows[1:] - rows[:-1]).abs()
    assert float((neighbours <= 10).double().mean()) < 0.002  # 1 in 1,000 within 20 mixed blocks


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_share_one_order(world_size: int) -> None:
    order = BlockOrder(n=103, block=8, at_once=3)

    def rows(rank: int, of: int) -> list[int]:
        generator = torch.Generator().manual_seed(5)
        return torch.cat(list(order.batches(generator, 16, rank, of))).tolist()

    whole = rows(0, 1)
    shares = [rows(rank, world_size) for rank in range(world_size)]
    assert [whole[i::world_size][: 103 // world_size] for i in range(world_size)] == shares


def test_what_needs_the_whole_log_is_refused(log: Path, tmp_path: Path) -> None:
    overrides = ["split=random", "preprocessing=none", "trainer.half_life=3"]
    overrides += ["preprocessing.duplicates=keep"]
    with pytest.raises(ConfigError) as error:
        experiment(log, tmp_path, *overrides, streaming=True)
    message = str(error.value)
    assert "split: got 'random', which needs the whole log at once" in message
    assert "must be one of last_n, ratio, time" in message
    assert "preprocessing.duplicates: got 'keep'" in message
    assert "trainer.half_life: got 3" in message


def test_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,timestamp\n1,2,3\n")
    run = experiment(path, tmp_path, "preprocessing=none", "split=last_n", streaming=True)
    with pytest.raises((ConfigError, DataError), match=r"dataset\.path.* is not Parquet"):
        run.load()


SPARK = [
    # Of 943 users many have fewer than 70 interactions, or in validation fewer than 70 left.
    ["preprocessing=none", "split=last_n", "split.n=70"],
    ["preprocessing=k_core", "split=ratio", "preprocessing.filters.0.min_inter_per_item=30"],
    ["preprocessing=notebook", "split=time", "preprocessing.duplicates=last"],
]


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of the size of MovieLens 100K, with repeated pairs and moments."""
    overrides = ["dataset.n_users=943", "dataset.n_items=1682", "dataset.n_interactions=100000"]
    dataset = build(compose("train", ["dataset=synthetic", *overrides])).dataset
    frame = dataset.load().log.with_columns(pl.col("timestamp").dt.truncate("2h"))
    folder = tmp_path_factory.mktemp("movies")
    pl.concat([frame, frame.gather_every(9)]).write_parquet(folder / "log.parquet")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("overrides", SPARK, ids=lambda choice: choice[1])
def test_spark_prepares_the_same_parts(
    movies: Path, tmp_path: Path, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyspark")
    monkeypatch.setattr(streaming_prepare, "ROWS_PER_BUCKET", 40_000)
    monkeypatch.setattr(parquet_log, "_ROWS_AT_ONCE", 30_000)
    options = "--master local[2] --conf spark.sql.shuffle.partitions=2 pyspark-shell"
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", options)
    by_polars = experiment(movies, tmp_path, *overrides, streaming=True)
    engine = "preprocessing.engine=spark"
    by_spark = experiment(movies, tmp_path, *overrides, engine, streaming=True)
    frames, parts = by_polars.load()[1], by_spark.load()[1]
    assert_frame_equal(parts.test, frames.test)
    assert parts.validation is not None
    assert frames.validation is not None
    assert_frame_equal(parts.validation, frames.validation)
    assert parts.n_users == frames.n_users
    one, other = (fold_of(each, "validation", by_polars.split) for each in (frames, parts))
    assert _rows(other) == _rows(one)
    _assert_same_lists(one, other, "histories")


def test_spark_is_refused_where_it_would_change_what_is_kept(log: Path, tmp_path: Path) -> None:
    engine = "preprocessing.engine=spark"
    with pytest.raises(ConfigError, match=r"engine: got 'spark'.* dataset\.streaming=true"):
        experiment(log, tmp_path, engine, "split=last_n", streaming=False)
    target = "replay.preprocessing.filters.EntityDaysFilter"
    days = f"preprocessing.filters=[{{_target_: {target}, days: 3}}]"
    with pytest.raises(ConfigError, match="must be one of LowRatingFilter, MinCountFilter"):
        experiment(log, tmp_path, engine, "split=last_n", days, streaming=True)
