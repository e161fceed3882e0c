"""Each of RePlay's filters through config, on a log small enough to do by hand."""

from __future__ import annotations

import inspect
from datetime import datetime

import polars as pl
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from replay.preprocessing import filters as replay_filters

# row: user item rating, hours after 2024-01-01 00:00
#  0:  a   x    5          0
#  1:  a   y    2         10
#  2:  a   z    4         30
#  3:  b   x    3         40
#  4:  b   x    5         50
#  5:  c   x    1        100
LOG = pl.DataFrame(
    {
        "user_id": ["a", "a", "a", "b", "b", "c"],
        "item_id": ["x", "y", "z", "x", "x", "x"],
        "rating": [5.0, 2.0, 4.0, 3.0, 5.0, 1.0],
        "timestamp": [
            datetime(2024, 1, 1, 0),
            datetime(2024, 1, 1, 10),
            datetime(2024, 1, 2, 6),
            datetime(2024, 1, 2, 16),
            datetime(2024, 1, 3, 2),
            datetime(2024, 1, 5, 4),
        ],
    },
    schema_overrides={"timestamp": pl.Datetime("us")},
)

CASES = [
    ("MinCountFilter", "{num_entries: 2}", [0, 1, 2, 3, 4]),
    ("MinCountFilter", "{num_entries: 2, groupby_column: item_id}", [0, 3, 4, 5]),
    ("LowRatingFilter", "{value: 3}", [0, 2, 3, 4]),
    # users of 2 or more: c goes; items of 2 or more: y and z go; now a has one row and goes.
    ("InteractionEntriesFilter", "{min_inter_per_user: 2, min_inter_per_item: 2}", [3, 4]),
    ("InteractionEntriesFilter", "{max_inter_per_user: 2}", [3, 4, 5]),
    ("NumInteractionsFilter", "{num_interactions: 1, first: true}", [0, 3, 5]),
    ("NumInteractionsFilter", "{num_interactions: 1, first: false}", [2, 4, 5]),
    ("EntityDaysFilter", "{days: 1, first: true}", [0, 1, 3, 4, 5]),
    ("EntityDaysFilter", "{days: 1, first: false, entity_column: item_id}", [1, 2, 5]),
    ("GlobalDaysFilter", "{days: 1, first: true}", [0, 1]),
    ("GlobalDaysFilter", "{days: 3, first: false}", [2, 3, 4, 5]),
    ("TimePeriodFilter", "{start_date: '2024-01-02 00:00:00'}", [2, 3, 4, 5]),
    (
        "TimePeriodFilter",
        "{start_date: 2024-01-02, end_date: 2024-01-03, time_column_format: '%Y-%m-%d'}",
        [2, 3],
    ),
    # Items have 4, 1, 1 rows; the median is 1. x loses half of 4 - 1, rounded down: 1, of the
    # users with most rows, which is a's.
    ("QuantileItemsFilter", "{alpha_quantile: 0.5, query_column: user_id}", [1, 2, 3, 4, 5]),
    ("ConsecutiveDuplicatesFilter", "{keep: first, query_column: user_id}", [0, 1, 2, 3, 5]),
    ("ConsecutiveDuplicatesFilter", "{keep: last, query_column: user_id}", [0, 1, 2, 4, 5]),
]


# RePlay's QuantileItemsFilter leans on a default of explode that Polars 2 will change.
@pytest.mark.filterwarnings("ignore:In Polars 2.0, the default behavior for `empty_as_null`")
@pytest.mark.parametrize(("name", "keys", "rows"), CASES)
def test_filter_keeps_these_rows_in_their_order(name: str, keys: str, rows: list[int]) -> None:
    node = OmegaConf.create(
        f"""
        _target_: twotower.preprocessing.preprocessing.Preprocessing
        duplicates: keep
        engine: polars
        filters: [{{_target_: replay.preprocessing.filters.{name}, {keys[1:]}]
        relevant_filters: []
        """
    )
    preprocessing = instantiate(node, _convert_="all")
    numbered = LOG.with_row_index("row")
    assert preprocessing.before_split(numbered, [])["row"].to_list() == rows


def test_no_filter_of_replay_is_left_out() -> None:
    offered = {
        name
        for name, value in inspect.getmembers(replay_filters, inspect.isclass)
        if name.endswith("Filter") and not name.startswith("_")
    }
    assert offered == {name for name, _, _ in CASES}
