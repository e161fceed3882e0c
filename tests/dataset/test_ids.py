"""One rule for ids: what is equal to what, wherever each of the two comes from."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from twotower.core.errors import DataError
from twotower.dataset.columns import Place
from twotower.dataset.ids import asked_ids, ids

PLACE = Place("log.parquet", "who", "dataset.columns.user")

SEVENS: list[Any] = [7, 7.0, "7", "7.0", "7.00", " 7 ", "7\t", np.int32(7), np.float64(7)]
OTHERS = ["007", "07", "+7", "7e0", "7.5", "7_0", "70", "-7", "seven", "7 0", "0x7", "٧"]


@pytest.mark.parametrize("seven", SEVENS)
def test_one_number_however_it_is_written_is_one_id(seven: Any) -> None:
    assert asked_ids([seven], "users").to_list() == ["7"]
    assert ids(pl.Series([seven]), PLACE).cast(pl.String).to_list() == ["7"]


@pytest.mark.parametrize("other", OTHERS)
def test_other_texts_are_other_ids(other: str) -> None:
    assert asked_ids([other], "users").to_list() == [other]
    assert ids(pl.Series([other]), PLACE).to_list() == [other]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series([2**63 - 1]), [2**63 - 1]),
        (pl.Series([2**63, 1], dtype=pl.UInt64), [str(2**63), "1"]),
        (pl.Series(["123456789012345678901", "1"]), ["123456789012345678901", "1"]),
        (pl.Series([7], dtype=pl.UInt8), [7]),
        (pl.Series([-7], dtype=pl.Int16), [-7]),
        (pl.Series([decimal.Decimal("7"), decimal.Decimal("8")]), [7, 8]),
        (pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
        (pl.Series(["b"], dtype=pl.Enum(["a", "b"])), ["b"]),
        (pl.Series([-0.0, 2.0**53 - 1]), [0, 2**53 - 1]),
        (pl.Series([str(uuid.UUID(int=7))]), ["00000000-0000-0000-0000-000000000007"]),
        (pl.Series(["na", "nano", "Nobody", "nullable"]), ["na", "nano", "Nobody", "nullable"]),
    ],
)
def test_types_of_columns(column: pl.Series, expected: list[Any]) -> None:
    assert ids(column, PLACE).to_list() == expected


NOTHING = ["", " ", "NULL", "null", "\\N", "None", "none", "NA", "N/A", "<NA>", "NaN", "nan"]


@pytest.mark.parametrize("nothing", [*NOTHING, None])
def test_a_missing_value_is_no_id(nothing: str | None) -> None:
    with pytest.raises(DataError, match=r"log.parquet: column 'who' has no id .* first in row 2"):
        ids(pl.Series(["7", nothing, "8"]), PLACE)
    with pytest.raises(DataError, match=r"users: got .* which is no id"):
        asked_ids(["7", nothing], "users")


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([7.5]),
        pl.Series([2.0**53]),  # and 2^53 + 1 are the same float
        pl.Series([float("inf")]),
        pl.Series([decimal.Decimal("7.5")]),
        pl.Series([True]),
        pl.Series([dt.date(2024, 1, 1)]),
        pl.Series([dt.datetime(2024, 1, 1)]),
        pl.Series([uuid.UUID(int=7).bytes]),
        pl.Series([[7]]),
        pl.Series([None]),
    ],
)
def test_columns_that_hold_no_ids(column: pl.Series) -> None:
    with pytest.raises(DataError, match=r"log.parquet: column 'who' has"):
        ids(column, PLACE)


@pytest.mark.parametrize(
    "asked",
    [
        [7, "8"],
        (7, 8.0),
        {7: "a", 8: "b"},
        range(7, 9),
        np.array([7, 8]),
        np.array(["7", "8"]),
        np.array([7.0, 8.0]),
        pd.Series([7, 8], index=[3, 4]),
        pd.Series(["7", "8"], dtype="category"),
        pd.Index([7, 8]),
        pl.Series([7, 8]),
        (str(n) for n in (7, 8)),
    ],
)
def test_any_collection_can_ask(asked: Any) -> None:
    assert asked_ids(asked, "users").to_list() == ["7", "8"]


@pytest.mark.parametrize("asked", [12, "12", 12.0, np.int64(12)])
def test_one_id_is_a_list_of_one(asked: Any) -> None:
    assert asked_ids(asked, "users").to_list() == ["12"]


@pytest.mark.parametrize(
    "asked",
    [
        *(True, [True], [None], [7.5], 7.5, [float("nan")], b"12", [b"12"], [[1, 2]], object()),
        *(np.array([[1, 2]]), pd.DataFrame({"user_id": [1]}), pl.DataFrame({"user_id": [1]})),
    ],
)
def test_what_is_no_id_is_refused(asked: Any) -> None:
    with pytest.raises(DataError, match=r"users: got .* must be one id or a list of ids"):
        asked_ids(asked, "users")


def write_text(frame: pl.DataFrame, path: Path) -> Path:
    frame.write_csv(path.with_suffix(".csv"))
    return path.with_suffix(".csv")


def write_parquet(frame: pl.DataFrame, path: Path) -> Path:
    frame.write_parquet(path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


INTEGERS = pl.Series(range(1, 9))
WRITTEN = {
    "integers in text": (INTEGERS, write_text),
    "integers in Parquet": (INTEGERS, write_parquet),
    "strings in Parquet": (INTEGERS.cast(pl.String), write_parquet),
    "floats in Parquet": (INTEGERS.cast(pl.Float64), write_parquet),
    "floats in text": (INTEGERS.cast(pl.Float64), write_text),
    "categories in Parquet": (INTEGERS.cast(pl.String).cast(pl.Categorical), write_parquet),
    "unsigned in Parquet": (INTEGERS.cast(pl.UInt64), write_parquet),
    "with spaces in text": (INTEGERS.cast(pl.String) + " ", write_text),
}


@pytest.mark.parametrize("features", WRITTEN)
@pytest.mark.parametrize("log", WRITTEN)
def test_a_log_and_features_join_however_both_are_written(
    tmp_path: Path, log: str, features: str
) -> None:
    from test_log_file import log_file  # type: ignore[import-not-found]

    values, write = WRITTEN[log]
    frame = pl.DataFrame({"who": values, "what": values, "when": range(8), "stars": 1})
    path = write(frame, tmp_path / "log")
    values, write = WRITTEN[features]
    items = write(pl.DataFrame({"what": values, "price": range(8)}), tmp_path / "items")
    data = log_file(path, items_path=str(items), test_path=str(path)).load()
    assert data.log.join(data.items, on="item_id").height == 8
    assert data.log.join(data.test, on=["user_id", "item_id"]).height == 8


def test_leading_zeros_are_other_ids_in_every_file(tmp_path: Path) -> None:
    from test_log_file import log_file

    log = pl.DataFrame({"who": INTEGERS, "what": INTEGERS, "when": range(8), "stars": 1})
    zeros = log.with_columns(who=pl.format("00{}", "who"))
    for write in (write_text, write_parquet):
        test = write(zeros, tmp_path / "test")
        data = log_file(write_text(log, tmp_path / "log"), test_path=str(test)).load()
        assert data.test["user_id"].to_list() == [f"00{n}" for n in range(1, 9)]
        assert data.log.join(data.test, on="user_id").is_empty()
