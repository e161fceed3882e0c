"""The list of filters: order, messages, and what happens to repeated interactions."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from polars.testing import assert_frame_equal
from replay.preprocessing.filters import LowRatingFilter, MinCountFilter, TimePeriodFilter

from twotower.core.errors import DataError
from twotower.preprocessing.preprocessing import Filter, Preprocessing

CONF = Path(__file__).parents[2] / "conf" / "preprocessing"


def make_log(*rows: tuple[str, str, float, int]) -> pl.DataFrame:
    """Rows of (user, item, rating, day of January 2024)."""
    return pl.DataFrame(
        {
            "user_id": [row[0] for row in rows],
            "item_id": [row[1] for row in rows],
            "rating": [row[2] for row in rows],
            "timestamp": [datetime(2024, 1, row[3]) for row in rows],
        },
        schema_overrides={"rating": pl.Float64, "timestamp": pl.Datetime("us")},
    )


def make_preprocessing(*filters: Filter, **changes: Any) -> Preprocessing:
    keys: dict[str, Any] = {
        "duplicates": "once",
        "filters": list(filters),
        "relevant_filters": [],
        "engine": "polars",
    }
    return Preprocessing(**keys | changes)


def pairs(log: pl.DataFrame) -> list[tuple[str, str]]:
    return list(log.select("user_id", "item_id").iter_rows())


def test_filters_run_in_the_order_of_the_list() -> None:
    # a has ratings 5, 1 and b has 5, 5. Low ratings first: a keeps one row and then falls to the
    # count of 2. Counts first: a has two rows, passes, and keeps its 5.
    log = make_log(("a", "x", 5, 1), ("a", "y", 1, 2), ("b", "x", 5, 3), ("b", "y", 5, 4))
    rating, count = LowRatingFilter(4), MinCountFilter(2)
    rating_first = make_preprocessing(rating, count).before_split(log, [])
    count_first = make_preprocessing(count, rating).before_split(log, [])
    assert pairs(rating_first) == [("b", "x"), ("b", "y")]
    assert pairs(count_first) == [("a", "x"), ("b", "x"), ("b", "y")]


def test_rows_come_out_in_order_of_time_and_ties_in_their_own() -> None:
    log = make_log(("b", "x", 1, 3), ("a", "x", 1, 2), ("c", "x", 1, 2), ("a", "y", 1, 1))
    kept = make_preprocessing(MinCountFilter(1)).before_split(log, [])
    assert pairs(kept) == [("a", "y"), ("a", "x"), ("c", "x"), ("b", "x")]


def test_repeated_pairs_are_kept_once_the_earliest_and_reported() -> None:
    log = make_log(("a", "x", 2, 9), ("a", "x", 5, 1), ("a", "y", 3, 5), ("a", "x", 4, 7))
    steps: list[str] = []
    kept = make_preprocessing().before_split(log, steps)
    assert_frame_equal(kept, make_log(("a", "x", 5, 1), ("a", "y", 3, 5)))
    expected = (
        "2 of 4 interactions repeat an earlier (user, item) pair and are dropped"
        " (preprocessing.duplicates=keep keeps them)"
    )
    assert steps == [expected]


def test_the_latest_of_repeated_pairs_stays_when_asked() -> None:
    log = make_log(("a", "x", 2, 9), ("a", "x", 5, 1), ("a", "y", 3, 5), ("a", "x", 4, 7))
    steps: list[str] = []
    kept = make_preprocessing(duplicates="last").before_split(log, steps)
    assert_frame_equal(kept, make_log(("a", "y", 3, 5), ("a", "x", 2, 9)))
    assert steps[0].startswith("2 of 4 interactions repeat a later (user, item) pair")


def test_repeated_pairs_stay_when_asked_without_a_word() -> None:
    log = make_log(("a", "x", 2, 1), ("a", "x", 5, 2))
    steps: list[str] = []
    kept = make_preprocessing(duplicates="keep").before_split(log, steps)
    assert_frame_equal(kept, log)
    assert steps == []


def test_without_timestamps_the_first_row_counts_as_the_earliest() -> None:
    log = make_log(("b", "x", 2, 9), ("a", "x", 1, 1), ("b", "x", 5, 1)).drop("timestamp")
    kept = make_preprocessing().before_split(log, [])
    assert_frame_equal(kept, log.head(2))


def test_relevant_filters_leave_the_log_alone_and_ground_truth_is_unique() -> None:
    log = make_log(("a", "x", 5, 1), ("a", "y", 1, 2), ("a", "x", 4, 3))
    preprocessing = make_preprocessing(duplicates="keep", relevant_filters=[LowRatingFilter(4)])
    assert len(preprocessing.before_split(log, [])) == 3
    relevant = preprocessing.relevant(log, "test", [])
    assert_frame_equal(relevant, make_log(("a", "x", 5, 1)))


def test_each_filter_reports_what_it_did() -> None:
    log = make_log(("a", "x", 5, 1), ("a", "y", 1, 2), ("b", "x", 5, 3))
    steps: list[str] = []
    make_preprocessing(MinCountFilter(2)).before_split(log, steps)
    assert steps == [
        "preprocessing.filters[0] (MinCountFilter) keeps 2 of 3 interactions of the log"
    ]


def test_a_filter_that_leaves_nothing_is_named_with_what_went_in() -> None:
    log = make_log(("a", "x", 5, 1), ("a", "y", 1, 2), ("b", "x", 5, 3))
    preprocessing = make_preprocessing(LowRatingFilter(4), MinCountFilter(20))
    with pytest.raises(DataError) as error:
        preprocessing.before_split(log, [])
    assert str(error.value) == (
        "preprocessing.filters[1] (MinCountFilter) leaves nothing of the log: 2 interactions went"
        " in. Loosen it or take it out of the list."
    )


def test_a_relevant_filter_that_leaves_nothing_names_the_part() -> None:
    log = make_log(("a", "x", 3, 1))
    preprocessing = make_preprocessing(relevant_filters=[LowRatingFilter(4)])
    with pytest.raises(DataError) as error:
        preprocessing.relevant(log, "validation", [])
    assert str(error.value) == (
        "preprocessing.relevant_filters[0] (LowRatingFilter) leaves nothing of the validation"
        " part: 1 interactions went in. Loosen it or take it out of the list."
    )


@pytest.mark.parametrize(
    ("absent", "filter_", "key"),
    [
        ("rating", LowRatingFilter(4), "dataset.columns.rating"),
        ("timestamp", TimePeriodFilter(), "dataset.columns.timestamp"),
    ],
)
def test_a_column_that_the_log_lacks_is_named_with_its_key(
    absent: str, filter_: Filter, key: str
) -> None:
    log = make_log(("a", "x", 3, 1)).drop(absent)
    with pytest.raises(DataError) as error:
        make_preprocessing(filter_).before_split(log, [])
    message = str(error.value)
    name = type(filter_).__name__
    assert message.startswith(
        f"preprocessing.filters[0] ({name}) needs a column that the log lacks"
    )
    assert f'"{absent}"' in message
    assert f"Map it with {key}, or take the filter out of the list." in message


def test_a_filter_with_a_wrong_column_name_lists_the_columns() -> None:
    log = make_log(("a", "x", 3, 1))
    with pytest.raises(DataError, match=r'"query_id".*Name one of them in the filter') as error:
        make_preprocessing(MinCountFilter(1, "query_id")).before_split(log, [])
    assert "Columns are ['user_id', 'item_id', 'rating', 'timestamp']" in str(error.value)


def test_a_filter_is_as_new_for_each_frame() -> None:
    # RePlay's TimePeriodFilter with open ends takes them from the first frame that it meets.
    preprocessing = make_preprocessing(relevant_filters=[TimePeriodFilter()])
    january_1, january_9 = make_log(("a", "x", 3, 1)), make_log(("a", "x", 3, 9))
    assert len(preprocessing.relevant(january_1, "validation", [])) == 1
    assert len(preprocessing.relevant(january_9, "test", [])) == 1


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_choice_keeps_something_of_a_dense_log(path: Path) -> None:
    log = make_log(*((f"u{u}", f"i{i}", 5, 1 + (u + i) % 28) for u in range(20) for i in range(20)))
    preprocessing = instantiate(OmegaConf.load(path), _convert_="all")
    assert len(preprocessing.before_split(log, [])) == 400
    assert len(preprocessing.relevant(log, "test", [])) == 400


def test_the_notebook_choice_is_the_notebooks_protocol() -> None:
    # a has 20 interactions, b 19. Held-out ratings of 3 and less are not relevant.
    rows = [("a", f"i{i}", i % 5 + 1, 1) for i in range(20)]
    rows += [("b", f"i{i}", 5, 1) for i in range(19)]
    notebook = instantiate(OmegaConf.load(CONF / "notebook.yaml"), _convert_="all")
    log = notebook.before_split(make_log(*rows), [])
    assert log["user_id"].unique().to_list() == ["a"]
    assert sorted(notebook.relevant(log, "test", [])["rating"].unique()) == [4.0, 5.0]


def test_the_none_choice_needs_no_rating_and_no_time_and_counts_a_pair_once() -> None:
    log = pl.DataFrame({"user_id": [1, 1, 1], "item_id": [7, 8, 7]})
    none = instantiate(OmegaConf.load(CONF / "none.yaml"), _convert_="all")
    assert len(none.before_split(log, [])) == 2
