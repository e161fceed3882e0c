"""Which columns are read as what, and what numbers become."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
import torch

from twotower.core.errors import ConfigError
from twotower.tower.columns import Numeric, column_encoder
from twotower.tower.kinds import Kind, column_kinds
from twotower.tower.text.ngrams import NgramText
from twotower.types import Side


def side(features: pl.DataFrame, n_train: int | None = None) -> Side:
    return Side("user", len(features), n_train or len(features), features)


def kinds(columns: Any, features: pl.DataFrame, n_train: int | None = None) -> dict[str, Kind]:
    return column_kinds(columns, side(features, n_train), 0.5)


def test_a_title_that_is_a_copy_is_read_once_under_its_own_name() -> None:
    names = ["Up", "Up", "Up", "Jaws"]
    features = pl.DataFrame({"name": names, "genre": ["a", "a", "a", "b"], "title": names})
    assert kinds("auto", features) == {"name": "text", "genre": "categorical"}
    assert kinds("auto", features.drop("name")) == {"genre": "categorical", "title": "text"}
    both = features.with_columns(name=pl.lit("x"))
    assert kinds("auto", both) == {"name": "categorical", "genre": "categorical", "title": "text"}


def test_auto_reads_each_column_by_its_type(caplog: pytest.LogCaptureFixture) -> None:
    features = pl.DataFrame(
        {
            "age": [20, 30, 40, 50],
            "born": [dt.date(2000, 1, 1)] * 4,
            "weight": [1.5, None, 2.5, 0.0],
            "gender": ["m", "f", "m", "f"],
            "zip_code": ["1", "2", "3", "3"],
            "title": ["a", "a", "a", "a"],
            "tags": [["x"], [], None, ["x", "y"]],
            "years": [[1], [2], [1, 2], []],
            "subscribed": [True, False, True, None],
            "level": pl.Series(["low", "high", "low", "low"], dtype=pl.Enum(["low", "high"])),
            "vector": [[0.5, 1.0]] * 4,
            "nested": [[["x"]]] * 4,
            "empty": pl.Series([None] * 4, dtype=pl.String),
            "no_tags": pl.Series([[], [], None, []], dtype=pl.List(pl.String)),
        }
    )
    # 2 genders of 4 rows are not more than half of them, 3 zip codes are.
    assert kinds("auto", features) == {
        "age": "numeric",
        "born": "numeric",
        "weight": "numeric",
        "gender": "categorical",
        "zip_code": "text",
        "title": "text",
        "tags": "multi_valued",
        "years": "multi_valued",
        "subscribed": "categorical",
        "level": "categorical",
        "vector": "vector",
    }
    assert caplog.messages == [
        "Column 'nested' is left out: no tower reads List(List(String)); change its type in the "
        "dataset, or name the columns to read in tower.user_columns or tower.item_columns",
        *(
            f"The user tower leaves out {name!r}: no row of train has a value; "
            "tower.user_columns says which columns are read"
            for name in ("empty", "no_tags")
        ),
    ]


def test_what_a_column_is_read_as_follows_from_rows_of_train_that_have_a_value() -> None:
    # Of train 2 distinct in 3 rows, of which 4/3 would be as many as half; of all 2 in 6.
    features = pl.DataFrame({"city": ["a", "b", "a", None, "a", "a", "a"]})
    assert kinds("auto", features, n_train=4) == {"city": "text"}
    assert kinds("auto", features) == {"city": "categorical"}


def test_a_mapping_names_the_columns_that_are_read_and_their_kinds() -> None:
    features = pl.DataFrame({"age": [20, 30], "zip_code": ["1", "2"], "gender": ["m", "f"]})
    asked = {"zip_code": "categorical", "age": "categorical"}
    assert kinds(asked, features) == asked
    assert kinds(None, features) == kinds({}, features) == {}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"ages": "numeric"},
            "tower.user_columns.ages: got numeric, but there is no such column; "
            "did you mean 'age'? Valid: age, gender, tags",
        ),
        (
            {"gender": "numeric"},
            "tower.user_columns.gender: got numeric, but the column holds String; "
            "must be categorical or text",
        ),
        (
            {"tags": "text"},
            "tower.user_columns.tags: got text, but the column holds List(String); "
            "must be multi_valued",
        ),
        (
            {"age": "multi_valued"},
            "tower.user_columns.age: got multi_valued, but the column holds Int64; "
            "must be numeric or categorical",
        ),
    ],
)
def test_a_column_that_is_not_there_and_a_kind_that_does_not_fit_are_named(
    columns: dict[str, str], message: str
) -> None:
    features = pl.DataFrame({"age": [20, 30], "gender": ["m", "f"], "tags": [["x"], []]})
    with pytest.raises(ConfigError) as error:
        kinds(columns, features)
    assert str(error.value) == message


def numbers(values: list[Any], n_train: int) -> list[list[float]]:
    made: torch.Tensor = Numeric(pl.Series(values), n_train=n_train)(torch.arange(len(values)))
    found: list[list[float]] = made.tolist()
    return found


def test_numbers_count_in_deviations_from_the_mean_of_train() -> None:
    # 2, 4, 6 and 8 have mean 5 and variance (9 + 1 + 1 + 9) / 4 = 5; cold 5 and 10 do not count.
    root = 5**0.5
    expected = [[-3 / root, 0], [-1 / root, 0], [1 / root, 0], [3 / root, 0], [0, 0], [root, 0]]
    torch.testing.assert_close(
        torch.tensor(numbers([2, 4, 6, 8, 5, 10], 4)), torch.tensor(expected)
    )


def test_what_is_missing_or_not_finite_is_flagged_and_counts_as_the_mean() -> None:
    nan, inf = float("nan"), float("inf")
    # 1 and 3 are left: mean 2, deviation 1.
    expected = [[-1, 0], [0, 1], [1, 0], [0, 1], [0, 1], [0, 1]]
    assert numbers([1.0, None, 3.0, nan, inf, -inf], 5) == expected


def test_what_train_cannot_teach_is_left_at_zero() -> None:
    assert numbers([0.1, 0.1, 0.1, 7.0], 3) == [[0, 0]] * 4  # the same throughout train
    assert numbers([1.0, 3.0, None], 2) == [[-1, 0], [1, 0], [0, 0]]  # none missing in train


def test_a_date_is_a_number() -> None:
    assert numbers([dt.date(2000, 1, 1), dt.date(2000, 1, 3)], 2) == [[-1, 0], [1, 0]]


def bag_of(column: pl.Series, n_train: int) -> tuple[list[int], list[int]]:
    kind: Kind = "multi_valued" if isinstance(column.dtype, pl.List) else "categorical"
    generator = torch.Generator().manual_seed(0)
    made: Any = column_encoder(
        kind, column, n_train=n_train, dim=2, text=NgramText, tuned=False, generator=generator
    )
    return made.offsets.tolist(), made.values.tolist()


def test_categories_are_numbered_by_name_whatever_the_order_of_rows() -> None:
    # Train has blue (0) and red (1); green is cold, the last is missing.
    assert bag_of(pl.Series(["red", "blue", "green", "red", None]), 2) == (
        [0, 1, 2, 2, 3, 3],
        [1, 0, 1],
    )
    levels = pl.Series(["red", "blue"], dtype=pl.Enum(["red", "blue"]))
    assert bag_of(levels, 2) == ([0, 1, 2], [1, 0])


def test_lists_hold_each_value_once() -> None:
    lists = pl.Series([["b", "a", "b"], [], None, ["c", "a", None]])
    assert bag_of(lists, 3) == ([0, 2, 2, 2, 3], [0, 1, 0])
    assert bag_of(pl.Series([[20, 3], [3]]), 2) == ([0, 2, 3], [0, 1, 1])  # "20" before "3"
