"""Interactions of one timestamp: their order is drawn, or that of the lines of the file."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from hydra.utils import instantiate
from made_logs import make_log  # type: ignore[import-not-found]
from omegaconf import OmegaConf

from twotower.split.base import Parts, Split
from twotower.split.fold import make_fold
from twotower.split.fold_in import fold_in
from twotower.types import Histories, in_time

CONF = Path(__file__).parents[2] / "conf"
USERS, ITEMS = range(200), range(10)
# One moment for everything: each of 200 users meets items 0 to 9.
TIED: pl.DataFrame = make_log(*((u, i, 0) for u in USERS for i in ITEMS))
# The same, and the lines say that items came in the order 9, 8, ..., 0.
LINED = TIED.with_columns(file_order=9 - pl.col("item_id"))
BY_ORDER: dict[str, dict[str, Any]] = {
    "last_n": {"n": 1},
    "ratio": {"test_size": 0.1},
    "random_next_n": {"n": 1},
    "given": {"validation_order": "time", "validation_size": 0.1},
}


def split(log: pl.DataFrame, choice: str, steps: list[str], **keys: Any) -> Parts:
    cold = {"drop_cold_users": False, "drop_cold_items": False}
    node = OmegaConf.merge(OmegaConf.load(CONF / "split" / f"{choice}.yaml"), cold, keys)
    made: Split = instantiate(node, _convert_="all")
    given = TIED.head(1) if choice == "given" else None
    return made.split(log, given, steps)


@pytest.mark.parametrize("choice", BY_ORDER)
def test_what_is_held_out_does_not_follow_from_ids(choice: str) -> None:
    steps: list[str] = []
    held = split(TIED, choice, steps, **BY_ORDER[choice]).validation
    assert held is not None
    counts = held["item_id"].value_counts()["count"].to_list()
    # About 200 draws of 10 items, 20 each; the deviation is sqrt(200 x 0.1 x 0.9) = 4.2.
    assert len(counts) == len(ITEMS)
    assert max(counts) < 20 + 4 * 4.2
    known_part = [
        step for step in steps if step.startswith("validation: ") and "one moment" in step
    ]
    assert len(known_part) == 1
    n_users = held["user_id"].n_unique()
    # random_next_n may leave a user one interaction before the test, and nothing else.
    assert choice == "random_next_n" or known_part[0].startswith(
        f"validation: {n_users} of {n_users} "
    )


@pytest.mark.parametrize("choice", BY_ORDER)
def test_the_order_of_lines_is_the_order_where_it_is_known(choice: str) -> None:
    steps: list[str] = []
    for log in (LINED, LINED.drop("timestamp").rename({"file_order": "timestamp"})):
        parts = split(log, choice, steps, **BY_ORDER[choice])
        assert not any("one moment" in step for step in steps)
        assert parts.validation is not None
        if choice != "random_next_n":
            last = 0 if choice == "given" else 1  # last_n and ratio took 0 for the test
            assert set(parts.validation["item_id"]) == {last}
        newest_known = parts.train.group_by("user_id").agg(pl.col("item_id").min())
        both = parts.validation.join(newest_known, on="user_id", suffix="_known")
        assert (both["item_id"] == both["item_id_known"] - 1).all()


def test_only_users_cut_within_a_moment_are_counted() -> None:
    # a: 1 1 2; b: 1 2 2; c: 1 2 3. Only b's last interaction shares its moment with another one.
    times = {"a": (1, 1, 2), "b": (1, 2, 2), "c": (1, 2, 3)}
    log = make_log(*((u, i, t) for u in "abc" for i, t in enumerate(times[u])))
    steps: list[str] = []
    split(log, "last_n", steps, validation=False)
    assert [step for step in steps if "one moment" in step] == [
        "test: 1 of 3 users are cut between interactions of one moment; which of these are held "
        "out is drawn independently of their ids (dataset.order=file takes the order of the "
        "lines instead)"
    ]


def test_a_repeated_line_is_cut_like_any_tie() -> None:
    log = make_log(("a", "x", 0), ("a", "x", 0), ("b", "x", 0), ("b", "x", 0))
    steps: list[str] = []
    parts = split(log, "last_n", steps, validation=False)
    assert (len(parts.train), len(parts.test)) == (2, 2)
    assert any(step.startswith("test: 2 of 2 users are cut") for step in steps)


def test_a_time_split_never_cuts_within_a_moment() -> None:
    log = make_log(*((u, i, i // 5) for u in USERS for i in ITEMS))
    steps: list[str] = []
    parts = split(log, "time", steps, validation=False, test_size=0.2)
    assert set(parts.test["item_id"]) == {5, 6, 7, 8, 9}
    assert not any("one moment" in step for step in steps)


def test_fold_in_knows_the_first_lines_where_lines_are_in_order() -> None:
    known, truth = fold_in(LINED.filter(pl.col("user_id") < 3), 0.3, seed=0)
    assert set(known["item_id"]) == {9, 8, 7}
    assert set(truth["item_id"]) == set(range(7))


def newest(histories: Histories, n: int) -> list[int]:
    past = histories.latest(torch.arange(len(histories.offsets) - 1), n)
    items: list[int] = past.items[past.valid].tolist()
    return items


def test_histories_do_not_end_in_the_highest_ids() -> None:
    fold = make_fold(TIED, TIED.head(1), TIED, False, False)
    for histories in (fold.histories, fold.train.histories):
        last = torch.tensor(newest(histories, 1)).bincount(minlength=10)
        assert last.max() < 20 + 4 * 4.2
    assert fold.train.before is not None
    assert fold.train.before.tolist() == [0] * len(TIED)  # nothing of one moment is before the rest


def test_in_lines_each_interaction_comes_before_the_next() -> None:
    for log in (LINED, LINED.drop("timestamp").rename({"file_order": "timestamp"})):
        fold = make_fold(log, log.head(1), log, False, False)
        assert set(newest(fold.histories, 1)) == {0}
        assert fold.train.before is not None
        assert (fold.train.before == 9 - fold.train.items).all()


def test_the_order_in_which_training_meets_interactions_is_the_canonical_one() -> None:
    fold = make_fold(TIED, TIED.head(1), TIED, False, False)
    assert fold.train.items.tolist() == TIED["item_id"].to_list()


def test_ids_as_text_are_drawn_like_the_same_numbers() -> None:
    text = TIED.with_columns(pl.col("user_id", "item_id").cast(pl.String))
    assert in_time(text)["item_id"].cast(pl.Int64).equals(in_time(TIED)["item_id"])


def test_rows_that_are_left_out_change_no_order() -> None:
    some = TIED.filter(pl.col("item_id") != 4)
    assert in_time(TIED).filter(pl.col("item_id") != 4).equals(in_time(some))


def test_a_column_of_times_comes_before_the_order_of_lines() -> None:
    start = datetime(2024, 1, 1)
    log = pl.DataFrame(
        {
            "user_id": ["a", "a", "a"],
            "item_id": ["x", "y", "z"],
            "timestamp": [start + timedelta(days=1), start, start],
            "file_order": [0, 1, 2],
        }
    )
    assert in_time(log)["item_id"].to_list() == ["y", "z", "x"]
