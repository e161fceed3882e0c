"""The values of a key, ordered and scaled."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_examples import MONITOR, trial_result  # type: ignore[import-not-found]

from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.varied import Varied, brief, text_of, varied_of


def taken(*values: Any) -> Varied:
    table = SweepTable(
        tuple(trial_result({"a.key": value}, n / 100) for n, value in enumerate(values)), MONITOR
    )
    return varied_of(table, "a.key")


def test_numbers_are_sorted_and_others_stay_as_they_came() -> None:
    assert taken(64, 8, 16, 8).values == (8, 16, 64)
    assert taken("uniform", "popularity", "hard").values == ("uniform", "popularity", "hard")
    assert taken(None, 2, 1).values == (None, 2, 1)
    assert not taken(True, False).numeric


@pytest.mark.parametrize(
    ("values", "log"),
    [
        # halfway between the ends: 45 on a log scale, 72 on a linear one; the median is 48
        ((16, 32, 64, 128), True),
        # 3.2 and 5.5; the median is 5
        ((1, 5, 10), False),
        # 7.1 and 25.5; the median is 7.5
        ((1, 5, 10, 50), True),
        ((0.0001, 0.001, 0.01), True),
        ((0, 10, 1000), False),
        ((20, 30, 40), False),
        (("a", "b"), False),
    ],
)
def test_a_scale_is_log_if_the_middle_value_is_nearer_to_the_geometric_mean(
    values: tuple[Any, ...], log: bool
) -> None:
    assert taken(*values).log is log


def test_more_numbers_than_a_grid_has_were_drawn() -> None:
    assert not taken(*range(12)).continuous
    assert taken(*range(13)).continuous
    assert not taken(*[f"v{n}" for n in range(13)]).continuous


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=8, unique=True))
def test_numbers_keep_their_place_and_order(values: list[float]) -> None:
    key = taken(*values)
    assert [key.coordinate(value) for value in key.values] == sorted(key.values)
    assert [key.position(value) for value in key.values] == list(range(len(key.values)))


def test_values_are_written_as_in_an_override() -> None:
    written = [text_of(value) for value in (None, True, 0.1, 1e-05, 3, "bce", [64, None], (1, 2))]
    assert written == ["null", "true", "0.1", "1e-05", "3", "bce", "[64,null]", "[1,2]"]
    assert brief(0.012822012973674895) == "0.0128"
    assert brief(1234567) == "1234567"
