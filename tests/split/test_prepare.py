"""From a dataset to parts: order of the steps, ground truth, features, cache."""

from __future__ import annotations

import json
import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from polars.testing import assert_frame_equal
from replay.preprocessing.filters import LowRatingFilter, MinCountFilter

from twotower.config import build, compose
from twotower.config.identity import trial_hash
from twotower.core.errors import DataError
from twotower.preprocessing.preprocessing import Preprocessing
from twotower.split.base import Split
from twotower.split.prepare import prepare
from twotower.types import Interactions, SplitFrames

CONF = Path(__file__).parents[2] / "conf"
START = datetime(2024, 1, 1)
CONFIG: dict[str, Any] = {"split": {"_target_": "TimeSplit"}, "preprocessing": {"filters": []}}


def make_log(*rows: tuple[Any, Any, int]) -> pl.DataFrame:
    """Rows of (user, item, seconds after the start of 2024)."""
    return pl.DataFrame(
        {
            "user_id": [row[0] for row in rows],
            "item_id": [row[1] for row in rows],
            "timestamp": [START + timedelta(seconds=row[2]) for row in rows],
        },
        schema_overrides={"timestamp": pl.Datetime("us")},
    )


def make_interactions(log: pl.DataFrame, **parts: Any) -> Interactions:
    known: dict[str, Any] = {"users": None, "items": None, "test": None}
    return Interactions(log=log, origin="a test", digest="d" * 64, **known | parts)


def load_split(choice: str, **keys: Any) -> Split:
    """The choice of `conf/split`, some of its keys changed."""
    node = OmegaConf.merge(OmegaConf.load(CONF / "split" / f"{choice}.yaml"), keys)
    split: Split = instantiate(node, _convert_="all")
    return split


def load_preprocessing(choice: str) -> Preprocessing:
    node = OmegaConf.load(CONF / "preprocessing" / f"{choice}.yaml")
    preprocessing: Preprocessing = instantiate(node, _convert_="all")
    return preprocessing


def make_movies() -> Interactions:
    """Users 0 to 9 meet items 0 to 9 in turn; each rating is 1 to 5; u99 and i99 do nothing."""
    rows = [(f"u{k % 10}", f"i{(k * 3 + k // 10) % 10}", k) for k in range(100)]
    log = make_log(*rows).with_columns(rating=pl.int_range(100) % 5 + 1.0)
    return make_interactions(
        log,
        users=pl.DataFrame({"user_id": ["u99", *(f"u{u}" for u in range(10))], "age": range(11)}),
        items=pl.DataFrame({"item_id": [f"i{i}" for i in (*range(10), 99)], "title": ["t"] * 11}),
    )


def prepare_movies(cache_dir: Path | None, **changes: Any) -> SplitFrames:
    keys: dict[str, Any] = {
        "interactions": make_movies(),
        "preprocessing": load_preprocessing("none"),
        "split": load_split("time"),
        "cache_dir": cache_dir,
        "config": CONFIG,
    }
    return prepare(**keys | changes)


def assert_same(left: SplitFrames, right: SplitFrames) -> None:
    for field in fields(SplitFrames):
        one, other = getattr(left, field.name), getattr(right, field.name)
        if isinstance(one, pl.DataFrame):
            assert_frame_equal(one, other)
        elif isinstance(one, pl.Series):
            assert one.equals(other)
        else:
            assert one == other


def test_relevant_filters_touch_validation_and_test_alone() -> None:
    preprocessing = Preprocessing("once", [], [LowRatingFilter(4)], "polars")
    frames = prepare_movies(None, preprocessing=preprocessing)
    assert frames.validation is not None
    # Rows 0 to 63 are train, 64 to 79 validation, 80 to 99 test; ratings run 1 2 3 4 5 1 2 ...
    assert frames.train["rating"].unique().sort().to_list() == [1, 2, 3, 4, 5]
    assert len(frames.train) == 64
    assert frames.validation["rating"].unique().sort().to_list() == [4, 5]
    assert len(frames.validation) == 7  # 64, 68 69, 73 74, 78 79
    assert len(frames.test) == 8
    assert len(frames.history) == 80  # low ratings of the validation period are history too


def test_users_are_counted_before_the_split(tmp_path: Path) -> None:
    # Of 12 users u10 and u11 come in the test period alone, where they are cold and drop.
    rows = [(f"u{k % 10}", f"i{k % 4}", k) for k in range(90)]
    log = make_log(*rows, ("u10", "i1", 98), ("u11", "i2", 99))
    for _ in ("made", "read from the cache"):
        frames = prepare_movies(tmp_path, interactions=make_interactions(log))
        assert frames.history["user_id"].n_unique() == 10
        assert "u11" not in frames.test["user_id"]
        assert frames.n_users == 12
    few = Preprocessing("once", [MinCountFilter(2, "user_id")], [], "polars")
    frames = prepare_movies(None, interactions=make_interactions(log), preprocessing=few)
    assert frames.n_users == 10  # filtered users are no part of the log that is split
    given = make_interactions(log, test=make_log(("u0", "i1", 100), ("u20", "i1", 101)))
    assert prepare_movies(None, interactions=given, split=load_split("given")).n_users == 13


def test_history_holds_what_is_cold_to_train() -> None:
    # v comes in the validation period, and the test asks for v: train and validation know it.
    log = make_log(*((f"u{k % 3}", f"i{k % 4}", k) for k in range(24)))
    log = pl.concat([log[:16], make_log(("v", "i0", 16), ("v", "i1", 17)), log[18:]])
    log = pl.concat([log, make_log(("v", "i2", 24))])
    keep_repeated = replace(load_preprocessing("none"), duplicates="keep")
    interactions = make_interactions(log)
    frames = prepare_movies(None, interactions=interactions, preprocessing=keep_repeated)
    assert frames.validation is not None
    assert "v" not in [*frames.train["user_id"], *frames.validation["user_id"]]
    assert "v" in frames.history["user_id"]
    assert "v" in frames.test["user_id"]


def test_without_validation_history_is_train(tmp_path: Path) -> None:
    for _ in ("fresh", "cached"):
        frames = prepare_movies(tmp_path, split=load_split("time", validation=False))
        assert frames.validation is None
        assert frames.history is frames.train
        assert len(frames.train) == 80


def test_known_rows_are_kept_whatever_their_rating() -> None:
    # Each user meets ten items, one in each of ten rounds, and rates them 1 5 1 5 1 5 1 5 1 5.
    log = make_movies().log.with_columns(rating=pl.int_range(100) // 10 % 2 * 4.0 + 1)
    frames = prepare_movies(
        None,
        interactions=make_interactions(log),
        preprocessing=Preprocessing("once", [], [LowRatingFilter(4)], "polars"),
        split=load_split("cold_user", known=0.3, validation=False),
    )
    # 0.3 of 10 are 3, of each of 2 users: 1 5 1. Of the other 5 1 5 1 5 1 5 four are relevant.
    assert frames.test_known is not None
    assert frames.test_known["rating"].to_list() == [1, 1, 5, 5, 1, 1]
    assert frames.test["rating"].to_list() == [5] * 8
    assert set(frames.test_known["user_id"]) == set(frames.test["user_id"])


def test_the_identity_of_a_split_without_fold_in_is_unchanged() -> None:
    # Pinned: runs that are logged under these digests must be found again.
    assert prepare_movies(None).digest == (
        "31f47cf8c8de8c807bd5a253d33088574d3c52e8a18da3d0e559361441bdbb33"
    )
    new_users = load_split("new_users", drop_cold_items=False, test_size=0.4)
    assert prepare_movies(None, split=new_users).digest == (
        "d4dcd1c0e8b0166396a4aee630fbfbf7f2ba37a0742912a5b030e7f6eca37d77"
    )


def test_the_known_share_is_part_of_the_identity() -> None:
    # Only the last of each user's ten rows is relevant, so to tell 0, 2 or 3 of them leaves one
    # and the same ground truth.
    log = make_movies().log.with_columns(rating=pl.int_range(100) // 90 * 4.0 + 1)
    frames = [
        prepare_movies(
            None,
            interactions=make_interactions(log),
            preprocessing=Preprocessing("once", [], [LowRatingFilter(4)], "polars"),
            split=load_split("cold_user", known=known, validation=False),
        )
        for known in (0.0, 0.2, 0.3)
    ]
    assert len(frames[0].test) == 2  # of 2 users
    assert_frame_equal(frames[0].test, frames[1].test)
    assert_frame_equal(frames[0].test, frames[2].test)
    assert len({each.digest for each in frames}) == 3


def test_known_rows_are_read_back_from_the_cache(tmp_path: Path) -> None:
    split = load_split("cold_user", known=0.5)
    fresh = prepare_movies(tmp_path, split=split)
    assert fresh.validation_known is not None
    assert fresh.test_known is not None
    unused = Preprocessing(
        "once", [MinCountFilter(1000)], [], "polars"
    )  # nothing is computed again
    assert_same(fresh, prepare_movies(tmp_path, split=split, preprocessing=unused))


def test_items_only_in_fold_in_or_in_no_part_keep_their_features() -> None:
    # v is the last to come; its older row alone is of q.
    log = make_log(*((f"u{k}", "x", k) for k in range(4)), ("v", "q", 10), ("v", "x", 11))
    items = pl.DataFrame({"item_id": ["q", "x", "y"], "title": ["Q", "X", "Y"]})
    frames = prepare_movies(
        None,
        interactions=make_interactions(log, items=items),
        split=load_split("new_users", known=0.5, validation=False),
    )
    assert frames.items is not None
    assert frames.items["title"].to_list() == ["Q", "X", "Y"]


def test_features_of_ids_that_occur_in_no_part_are_kept() -> None:
    frames = prepare_movies(None)
    assert frames.users is not None
    assert frames.items is not None
    assert sorted(frames.users["user_id"]) == [*(f"u{u}" for u in range(10)), "u99"]
    assert frames.users.columns == ["user_id", "age"]
    assert sorted(frames.items["item_id"]) == [*(f"i{i}" for i in range(10)), "i99"]


def test_repeated_ground_truth_counts_once() -> None:
    movies = make_movies()
    again = movies.log.tail(1).with_columns(pl.col("timestamp") + pl.duration(seconds=1))
    interactions = make_interactions(pl.concat([movies.log, again]))
    frames = prepare_movies(
        None, interactions=interactions, preprocessing=load_preprocessing("none")
    )
    assert frames.test.select("user_id", "item_id").is_duplicated().sum() == 0


def test_a_cache_hit_equals_a_fresh_split(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        fresh = prepare_movies(tmp_path)
        steps = caplog.messages
        caplog.clear()
        # A filter that would leave nothing shows that nothing is computed again.
        unused = Preprocessing("once", [MinCountFilter(1000)], [], "polars")
        hit = prepare_movies(tmp_path, preprocessing=unused)
        repeated = caplog.messages
    assert_same(fresh, hit)
    assert_same(fresh, prepare_movies(None))
    assert repeated == steps  # a hit reports again how the parts were made
    assert "100 interactions: 80 before test, 20 test" in steps


def test_other_config_or_other_data_has_its_own_entry(tmp_path: Path) -> None:
    first = prepare_movies(tmp_path)
    last_n = load_split("last_n")
    assert prepare_movies(tmp_path, config={"split": 2}, split=last_n).digest != first.digest
    log = make_movies().log.with_columns(rating=pl.lit(5.0))
    other = Interactions(log, None, None, None, origin="another test", digest="e" * 64)
    assert prepare_movies(tmp_path, interactions=other).users is None
    assert len(list(tmp_path.glob("*/meta.json"))) == 3


@pytest.mark.parametrize("part", ["users", "items"])
def test_other_features_change_the_identity_and_not_the_digest_of_a_split(
    tmp_path: Path, part: str
) -> None:
    movies = make_movies()
    changed = getattr(movies, part).with_columns(pl.lit(1).alias("another feature"))
    one = prepare_movies(None)
    other = prepare_movies(None, interactions=replace(movies, **{part: changed}))
    assert other.digest == one.digest
    assert other.identity != one.identity
    without = prepare_movies(None, interactions=replace(movies, users=None, items=None))
    assert without.identity == without.digest == one.digest


@pytest.mark.parametrize("part", ["users", "items"])
def test_a_changed_feature_file_makes_another_run_and_another_cached_split(
    tmp_path: Path, part: str
) -> None:
    key = part.removesuffix("s")
    make_movies().log.write_csv(tmp_path / "log.csv")
    keys = {"path": tmp_path / "log.csv", f"{part}_path": tmp_path / "features.csv"}
    overrides = ["dataset=file", "preprocessing=none", "dataset.columns.rating=null"]
    overrides += [f"dataset.{name}={path}" for name, path in keys.items()]
    config = compose("train", [*overrides, "dataset.title=null"])
    seen = []
    for age in (1, 2):
        ids = getattr(make_movies(), part)[f"{key}_id"]
        pl.DataFrame({f"{key}_id": ids, "age": age}).write_csv(tmp_path / "features.csv")
        interactions = build(config).dataset.load()
        frames = prepare_movies(tmp_path / "cache", interactions=interactions)
        seen.append(trial_hash(config, frames.identity))
        assert getattr(frames, part)["age"].unique().to_list() == [age]
    assert seen[0] != seen[1]
    assert len(list((tmp_path / "cache").glob("*/meta.json"))) == 2


def entry_of(cache_dir: Path) -> Path:
    (meta,) = cache_dir.glob("*/meta.json")
    return meta.parent


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def set_other_digest(path: Path) -> None:
    meta = json.loads(path.read_text())
    meta["note"]["digest"] = "0" * 64
    path.write_text(json.dumps(meta))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("history.parquet", cut_short),
        ("test.parquet", flip_a_bit),
        ("users.parquet", Path.unlink),
        ("meta.json", cut_short),
        ("meta.json", set_other_digest),
        ("meta.json", Path.unlink),
        ("meta.json", lambda path: path.write_text("[]")),
    ],
)
def test_a_damaged_entry_is_reported_and_rebuilt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, damage: Any
) -> None:
    fresh = prepare_movies(tmp_path)
    entry = entry_of(tmp_path)
    damage(entry / name)
    with caplog.at_level(logging.WARNING):
        assert_same(prepare_movies(tmp_path), fresh)
    (message,) = caplog.messages
    assert message.startswith(f"Rebuilding the damaged cache entry {entry}: ")
    assert name in message or name == "meta.json"
    caplog.clear()
    assert_same(prepare_movies(tmp_path), fresh)  # and now it is whole
    assert not caplog.messages


def test_a_failed_preparation_leaves_no_entry(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        prepare_movies(tmp_path, split=load_split("time", test_start="2023-01-01"))
    assert [path.suffix for path in tmp_path.iterdir()] in ([], [".lock"])
    assert len(prepare_movies(tmp_path).train) == 64


class Witness:
    """A filter that keeps everything, waits for its peers to start and leaves a mark."""

    def __init__(self, marks: Path) -> None:
        self.marks = marks

    def transform(self, log: pl.DataFrame) -> pl.DataFrame:
        (self.marks / f"made-{multiprocessing.current_process().pid}").touch()
        time.sleep(0.3)
        return log


def prepare_beside_others(cache_dir: Path, n_processes: int) -> str:
    marks = cache_dir.parent
    (marks / f"ready-{multiprocessing.current_process().pid}").touch()
    while len(list(marks.glob("ready-*"))) < n_processes:
        time.sleep(0.01)
    preprocessing = Preprocessing("once", [Witness(marks)], [], "polars")
    return prepare_movies(cache_dir, preprocessing=preprocessing).digest


def test_processes_at_once_prepare_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        digests = pool.map(prepare_beside_others, [tmp_path / "cache"] * 2, [2, 2])
        assert set(digests) == {prepare_movies(None).digest}
    assert len(list(tmp_path.glob("made-*"))) == 1
