"""What holds for every split of every log."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hydra.utils import instantiate
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from polars.testing import assert_frame_equal

from twotower.core.errors import DataError
from twotower.split.base import Split

CONF = Path(__file__).parents[2] / "conf"
START = datetime(2024, 1, 1)
KEEP_COLD = {"drop_cold_users": False, "drop_cold_items": False}
COMPLETE = ("time", "last_n", "ratio", "random", "cold_user", "cold_item", "k_folds")
PARTIAL = ("new_users", "random_next_n")  # these leave rows out on purpose
TELLING = ("cold_user", "new_users")


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


def load_split(choice: str, **keys: Any) -> Split:
    """The choice of `conf/split`, some of its keys changed."""
    node = OmegaConf.merge(OmegaConf.load(CONF / "split" / f"{choice}.yaml"), keys)
    split: Split = instantiate(node, _convert_="all")
    return split


def pairs(log: pl.DataFrame | None) -> list[tuple[Any, Any]]:
    assert log is not None
    return list(log.select("user_id", "item_id").iter_rows())


def logs_of(min_size: int) -> st.SearchStrategy[pl.DataFrame]:
    return st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(0, 8), st.integers(0, 20)),
        min_size=min_size,
        max_size=60,
    ).map(lambda rows: make_log(*rows).sort("timestamp", maintain_order=True))


logs = logs_of(8)
dense_logs = logs_of(30)  # of few rows, most hold out nothing that is warm


def rows_of(*parts: pl.DataFrame | None) -> list[Any]:
    return sorted(row for part in parts if part is not None for row in part["row"])


@pytest.mark.parametrize("choice", COMPLETE + PARTIAL)
@settings(deadline=None, max_examples=15)
@given(log=logs, validation=st.booleans())
def test_parts_are_disjoint_and_together_the_log(
    choice: str, log: pl.DataFrame, validation: bool
) -> None:
    log = log.with_row_index("row")
    try:
        split = load_split(choice, validation=validation, **KEEP_COLD)
        parts = split.split(log, None, [])
    except DataError:
        assume(False)
    rows = rows_of(parts.train, parts.validation, parts.test)
    assert len(rows) == len(set(rows))
    assert set(rows) <= set(log["row"])
    assert rows_of(parts.history) == sorted(set(rows_of(parts.history)))
    if choice in COMPLETE:
        assert rows == list(log["row"])
        assert rows_of(parts.train, parts.validation) == rows_of(parts.history)
    for part in (parts.train, parts.validation, parts.test, parts.history):
        assert part is None or part["row"].is_sorted()
        assert part is None or part.schema == log.schema
    assert parts.validation_known is None
    assert parts.test_known is None


@pytest.mark.parametrize("choice", TELLING)
@settings(deadline=None, max_examples=25)
@given(
    log=logs,
    validation=st.booleans(),
    known=st.sampled_from([0.2, 0.5, 0.8, 0.99]),
    timed=st.booleans(),
)
def test_known_rows_are_of_held_out_users_and_neither_train_nor_truth(
    choice: str, log: pl.DataFrame, validation: bool, known: float, timed: bool
) -> None:
    log = log.with_row_index("row")
    log = log if timed or choice == "new_users" else log.drop("timestamp")
    keys = {"validation": validation, **KEEP_COLD}
    try:
        parts = load_split(choice, known=known, **keys).split(log, None, [])
        silent = load_split(choice, **keys).split(log, None, [])
    except DataError:
        assume(False)
    # Telling changes what is held out into two parts, and nothing else.
    assert_frame_equal(parts.train, silent.train)
    assert_frame_equal(parts.history, silent.history)
    for known_part, truth, held in (
        (parts.validation_known, parts.validation, silent.validation),
        (parts.test_known, parts.test, silent.test),
    ):
        assert sorted(rows_of(known_part) + rows_of(truth)) == rows_of(held)
        if held is None or truth is None:
            continue
        assert set(truth["user_id"]) == set(held["user_id"])
        if known_part is None:
            continue
        assert not known_part.is_empty()
        for user in set(known_part["user_id"]) if "timestamp" in log.columns else ():
            newest = known_part.filter(user_id=user)["timestamp"].to_list()[-1]
            assert newest <= truth.filter(user_id=user)["timestamp"].to_list()[0]
    # The known and held-out rows of validation precede the test part.
    before = set(rows_of(parts.history))
    assert set(rows_of(parts.validation_known, parts.validation)) <= before
    assert not set(rows_of(parts.test_known)) & before


@settings(deadline=None, max_examples=25)
@given(log=logs, validation=st.booleans())
def test_no_item_of_a_cold_item_part_is_in_train(log: pl.DataFrame, validation: bool) -> None:
    try:
        parts = load_split("cold_item", validation=validation).split(log, None, [])
    except DataError:
        assume(False)
    for before, held in ((parts.train, parts.validation), (parts.history, parts.test)):
        assert held is None or not set(held["item_id"]) & set(before["item_id"])
        assert held is None or set(held["user_id"]) <= set(before["user_id"])


@pytest.mark.parametrize("choice", ["cold_item", "new_users"])
@settings(deadline=None, max_examples=25)
@given(log=logs, data=st.data())
def test_the_order_of_the_log_decides_nothing(
    choice: str, log: pl.DataFrame, data: st.DataObject
) -> None:
    # Without repeats: which of two equal rows is known makes no difference.
    log = log.unique(maintain_order=True).with_row_index("row")
    order = data.draw(st.permutations(range(len(log))))
    keys = {"known": 0.5} if choice in TELLING else {}
    split = load_split(choice, **keys, **KEEP_COLD)
    try:
        parts = split.split(log, None, [])
    except DataError:
        assume(False)
    again = split.split(log[order].sort("timestamp", maintain_order=True), None, [])
    for part in ("train", "validation", "validation_known", "test", "test_known", "history"):
        assert rows_of(getattr(parts, part)) == rows_of(getattr(again, part))


@settings(deadline=None, max_examples=30)
@given(log=logs)
def test_time_never_runs_backwards(log: pl.DataFrame) -> None:
    try:
        parts = load_split("time", **KEEP_COLD).split(log, None, [])
    except DataError:
        assume(False)
    assert parts.validation is not None
    train, validation, test = (p["timestamp"] for p in (parts.train, parts.validation, parts.test))
    assert train.to_list()[-1] < validation.to_list()[0]
    assert validation.to_list()[-1] < test.to_list()[0]


@pytest.mark.parametrize("choice", ["time", "last_n", "ratio", "random", "k_folds"])
@settings(deadline=None, max_examples=15)
@given(log=dense_logs)
def test_no_cold_user_or_item_is_held_out(choice: str, log: pl.DataFrame) -> None:
    try:
        parts = load_split(choice).split(log, None, [])
    except DataError:
        assume(False)
    for before, held in ((parts.train, parts.validation), (parts.history, parts.test)):
        assert held is not None
        for column in ("user_id", "item_id"):
            assert set(held[column]) <= set(before[column])


@pytest.mark.parametrize("choice", COMPLETE)
@settings(deadline=None, max_examples=10)
@given(log=logs)
def test_the_type_of_ids_changes_nothing(choice: str, log: pl.DataFrame) -> None:
    spelled = log.with_columns(pl.col("item_id").cast(pl.String))
    try:
        parts = load_split(choice, **KEEP_COLD).split(log, None, [])
    except DataError:
        assume(False)
    again = load_split(choice, **KEEP_COLD).split(spelled, None, [])
    assert [(u, str(i)) for u, i in pairs(parts.test)] == pairs(again.test)
