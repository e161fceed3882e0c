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

from twotower.errors import DataError
from twotower.split.base import Split

CONF = Path(__file__).parents[2] / "conf"
START = datetime(2024, 1, 1)
KEEP_COLD = {"drop_cold_users": False, "drop_cold_items": False}
COMPLETE = ("time", "last_n", "ratio", "random", "cold_user", "k_folds")
PARTIAL = ("new_users", "random_next_n")  # these leave rows out on purpose


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


logs = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 8), st.integers(0, 20)),
    min_size=8,
    max_size=60,
).map(lambda rows: make_log(*rows).sort("timestamp", maintain_order=True))


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
@given(log=logs)
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
    spelled = log.with_columns(item_id=pl.format("i{}", "item_id"))
    try:
        parts = load_split(choice, **KEEP_COLD).split(log, None, [])
    except DataError:
        assume(False)
    again = load_split(choice, **KEEP_COLD).split(spelled, None, [])
    assert [(u, f"i{i}") for u, i in pairs(parts.test)] == pairs(again.test)
