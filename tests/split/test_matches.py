"""Ids of two sources that are joined: how many match, and an error where none do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from twotower.core.errors import DataError
from twotower.dataset.canonical import interactions
from twotower.split.base import Split
from twotower.split.matches import match_notes
from twotower.types import Interactions

CONF = Path(__file__).parents[2] / "conf"
LOG = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [10, 20, 20]})
SOURCES = {
    "log": "log.csv (dataset.path)",
    "test": "test.csv (dataset.test_path)",
    "users": "users.csv (dataset.users_path)",
    "items": "items.csv (dataset.items_path)",
}


def given(**keys: Any) -> Split:
    node = OmegaConf.merge(OmegaConf.load(CONF / "split" / "given.yaml"), keys)
    split: Split = instantiate(node)
    return split


def data(**frames: pl.DataFrame) -> Interactions:
    parts: dict[str, Any] = {"log": LOG, "users": None, "items": None, "test": None, **frames}
    return interactions(**parts, origin="", sources=SOURCES)


def test_matches_are_counted_for_each_pair_of_sources() -> None:
    made = data(
        test=pl.DataFrame({"user_id": [1, 3], "item_id": [20, 30]}),
        users=pl.DataFrame({"user_id": [1, 2, 3], "age": 1}),
        items=pl.DataFrame({"item_id": [10, 99], "price": 1}),
    )
    assert list(match_notes(made, given())) == [
        "test: 1 of 2 users and 1 of 2 items are in the log",
        "3 of 3 users have features",
        "1 of 3 items have features; features of 1 others are known",
    ]


@pytest.mark.parametrize(
    ("part", "frame", "message"),
    [
        (
            "test",
            pl.DataFrame({"user_id": [7], "item_id": [10]}),
            "None of the 1 users of test.csv (dataset.test_path), such as 7, is among the 2 of "
            "log.csv (dataset.path), such as 1.",
        ),
        (
            "items",
            pl.DataFrame({"item_id": [98, 99], "price": 1}),
            "None of the 2 items of items.csv (dataset.items_path), such as 98, is among the 2 of "
            "log.csv (dataset.path), such as 10.",
        ),
        (
            "users",
            pl.DataFrame({"user_id": [9], "age": 1}),
            "None of the 1 users of users.csv (dataset.users_path), such as 9, is among",
        ),
    ],
)
def test_no_match_at_all_names_both_sources_and_an_id_of_each(
    part: str, frame: pl.DataFrame, message: str
) -> None:
    with pytest.raises(DataError) as error:
        list(match_notes(data(**{part: frame}), given()))
    assert str(error.value).startswith(message)
    assert "7, 7.0 and '7' are one id, '007' is another" in str(error.value)


def test_a_test_part_of_new_users_alone_is_fine_where_cold_users_stay() -> None:
    made = data(test=pl.DataFrame({"user_id": [7], "item_id": [10]}))
    notes = list(match_notes(made, given(drop_cold_users=False)))
    assert notes == ["test: 0 of 1 users and 1 of 1 items are in the log"]


def test_nothing_in_common_is_an_error_even_where_all_cold_ones_stay() -> None:
    made = data(test=pl.DataFrame({"user_id": [7], "item_id": [70]}))
    with pytest.raises(DataError, match=r"None of the 1 users of test\.csv"):
        list(match_notes(made, given(drop_cold_users=False, drop_cold_items=False)))
