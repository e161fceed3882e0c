"""Dates for timestamps: which interaction of a day is held out does not follow from its id."""

from __future__ import annotations

import polars as pl
from case_runner import Case

from twotower.dataset.canonical import sorted_log
from twotower.types import in_time


def test_held_out_items_are_spread_over_the_ids(case: Case) -> None:
    text = case.train("dataset.path=daily.csv", "trainer.refit=true").text
    assert (
        "test: 300 of 300 users are cut between interactions of one moment; which of these are "
        "held out is drawn independently of their ids" in " ".join(text.split())
    )
    kept = [pl.read_parquet(path) for path in case.folder.rglob("cache/splits/*/test.parquet")]
    held = kept[0]["item_id"]
    # The file has 100 items, each as often. The mean of 300 uniform draws is within
    # 50.5 -+ 3 x 28.9 / sqrt(300), and nearly every user's item occurs in train too.
    assert len(held) > 290
    assert 45.5 < held.to_numpy().mean() < 55.5
    assert held.n_unique() > 80


def test_true_times_have_no_ties_to_report(case: Case) -> None:
    assert "of one moment" not in case.train("dataset.path=daily_jitter.csv").text


def test_the_order_of_the_file_is_kept_where_it_is_the_order(case: Case) -> None:
    text = case.train("dataset.path=ts_same.csv", "dataset.order=file").text
    assert "of one moment" not in text
    log = pl.read_csv("ts_same.csv")
    last = log.group_by("user_id", maintain_order=True).last().sort("user_id")
    parquet = next(case.folder.rglob("cache/splits/*/test.parquet"))
    held = pl.read_parquet(parquet).sort("user_id")
    judged = last.filter(pl.col("user_id").is_in(held["user_id"].implode()))
    assert held["item_id"].to_list() == judged["item_id"].to_list()
    assert len(held) > 30


def test_the_order_of_lines_decides_nothing_else(case: Case) -> None:
    log = pl.read_csv("daily.csv", try_parse_dates=True).with_columns(
        pl.col("timestamp").cast(pl.Datetime("us"))
    )
    shuffled = log.sample(fraction=1, shuffle=True, seed=1)
    assert in_time(sorted_log(shuffled)).equals(in_time(sorted_log(log)))
    assert in_time(shuffled).equals(in_time(log))
