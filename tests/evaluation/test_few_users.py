"""A holdout of few users is warned of, with the width of its interval and what judges more."""

from __future__ import annotations

import polars as pl
import pytest

from twotower.evaluation import Measured
from twotower.evaluation.few_users import few_users_note


def note(n_judged: int, value: float, half: float | None) -> str | None:
    measured = Measured(
        {"ndcg_at_10": value},
        {} if half is None else {"ndcg_at_10": (value - half, value + half)},
        pl.DataFrame({"user_id": range(n_judged)}),
    )
    return few_users_note(
        measured, "ndcg_at_10", part="test", n_users=610, advice="split=last_n judges more users"
    )


def test_the_note_gives_users_width_and_advice() -> None:
    assert note(22, 0.2, 0.05) == (
        "test judges 22 of 610 users: NDCG@10 0.2000 ± 0.0500 is an interval of ±25%, "
        "too wide to distinguish models that differ by less; split=last_n judges more users"
    )


@pytest.mark.parametrize(
    ("n_judged", "value", "half", "noted"),
    [
        (99, 0.2, 0.01, True),  # few users, whatever the interval
        (100, 0.2, 0.05, False),  # just a quarter
        (100, 0.2, 0.051, True),
        (600, 0.02, 0.006, True),  # many users, and still a wide interval
        (600, 0.0, 0.0, False),
    ],
)
def test_few_users_or_a_wide_interval_are_noted(
    n_judged: int, value: float, half: float, noted: bool
) -> None:
    assert (note(n_judged, value, half) is not None) == noted


@pytest.mark.parametrize(("n_judged", "value", "half"), [(1, 0.5, None), (22, 0.0, 0.0)])
def test_without_an_interval_the_number_of_users_is_shown(
    n_judged: int, value: float, half: float | None
) -> None:
    users = f"test judges {n_judged} of 610 users; split=last_n judges more users"
    assert note(n_judged, value, half) == users
