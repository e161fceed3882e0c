"""The time split: its threshold, its ties, and dates in place of a share."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from replay.splitters import TimeSplitter

from twotower.core.errors import ConfigError
from twotower.split.time import TimeSplit

CONF = Path(__file__).parents[2] / "conf"
START = datetime(2024, 1, 1)
KEYS: dict[str, Any] = {
    "validation": False,
    "drop_cold_users": False,
    "drop_cold_items": False,
    "test_size": 0.2,
    "test_start": None,
    "validation_start": None,
}


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


def seconds(frame: pl.DataFrame | None) -> list[int]:
    assert frame is not None
    return [int((moment - START).total_seconds()) for moment in frame["timestamp"]]


def at(*times: int) -> pl.DataFrame:
    return make_log(*(("a", f"i{row}", time) for row, time in enumerate(times)))


def test_rows_at_the_threshold_are_all_test() -> None:
    # 10 rows x 0.8 = row 8 in order of time, at 8 s; the row before it is at 8 s too.
    parts = TimeSplit(**KEYS).split(at(1, 2, 3, 4, 5, 6, 7, 8, 8, 9), None, [])
    assert seconds(parts.train) == [1, 2, 3, 4, 5, 6, 7]
    assert seconds(parts.test) == [8, 8, 9]


def test_validation_is_the_same_share_of_what_is_left() -> None:
    # Test: row int(25 x 0.8) = 20. Of 20 left: row int(20 x 0.8) = 16.
    parts = TimeSplit(**KEYS | {"validation": True}).split(at(*range(25)), None, [])
    assert seconds(parts.train) == list(range(16))
    assert seconds(parts.validation) == [16, 17, 18, 19]
    assert seconds(parts.test) == [20, 21, 22, 23, 24]
    assert seconds(parts.history) == list(range(20))


@pytest.mark.parametrize(
    "start",
    [
        "2024-01-01 00:00:03",
        "2024-01-01T00:00:03+00:00",
        "2024-01-01T02:00:03+02:00",
        datetime(2024, 1, 1, 0, 0, 3),
    ],
)
def test_a_moment_in_place_of_the_share(start: Any) -> None:
    parts = TimeSplit(**KEYS | {"test_start": start}).split(at(1, 2, 3, 4), None, [])
    assert seconds(parts.train) == [1, 2]
    assert seconds(parts.test) == [3, 4]


def test_dates_as_yaml_brings_them() -> None:
    day = 24 * 3600
    log = at(0, day, 2 * day, 3 * day)
    keys = {"test_start": "2024-01-03", "validation_start": "2024-01-02"}
    node = OmegaConf.merge(OmegaConf.load(CONF / "split" / "time.yaml"), keys)
    parts = instantiate(node).split(log.with_columns(item_id=pl.lit("x")), None, [])
    assert seconds(parts.train) == [0]
    assert seconds(parts.validation) == [day]
    assert seconds(parts.test) == [2 * day, 3 * day]


def test_a_date_without_effect_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        TimeSplit(**KEYS | {"validation_start": "2024-01-02"})
    assert str(error.value) == (
        "validation_start: got '2024-01-02 00:00:00', but validation=false cuts no such part; "
        "must be null, or validation true"
    )


def test_dates_in_the_wrong_order_are_refused() -> None:
    keys = {"validation": True, "validation_start": "2024-01-03", "test_start": "2024-01-02"}
    with pytest.raises(ConfigError) as error:
        TimeSplit(**KEYS | keys)
    assert str(error.value) == (
        "validation_start: got '2024-01-03 00:00:00'; "
        "must be earlier than test_start=2024-01-02 00:00:00"
    )


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 12), min_size=2, max_size=40), st.sampled_from([0.1, 0.25, 0.3]))
def test_equal_to_replay_on_pandas(times: list[int], test_size: float) -> None:
    log = at(*times).sort("timestamp", maintain_order=True)
    splitter = TimeSplitter(test_size, query_column="user_id")
    train, test = splitter.split(log.to_pandas())
    if train.empty:  # which RePlay lets pass
        return
    parts = TimeSplit(**KEYS | {"test_size": test_size}).split(log, None, [])
    assert sorted(parts.train["item_id"]) == sorted(train["item_id"])
    assert sorted(parts.test["item_id"]) == sorted(test["item_id"])


def test_a_planted_tie_at_the_scale_of_a_real_log() -> None:
    # 1,000 rows, one a second, but rows 795 to 804 share one moment: 795 train, 205 test.
    times = [*range(795), *([795] * 10), *range(805, 1000)]
    parts = TimeSplit(**KEYS).split(at(*times), None, [])
    assert (len(parts.train), len(parts.test)) == (795, 205)
    assert parts.test["timestamp"].min() == START + timedelta(seconds=795)
