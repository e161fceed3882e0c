"""Held-out pairs that were seen before, and what they leave of recall."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from twotower import config as conf
from twotower.evaluation.repeats import repeat_note
from twotower.types import SplitFrames

TRAIN = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [10, 20, 20]})
# User 1 meets 10 again and 30, 40, 50; user 2 meets 20 again; user 3 meets 10.
TEST = pl.DataFrame({"user_id": [1, 1, 1, 1, 2, 3], "item_id": [10, 30, 40, 50, 20, 10]})
FRAMES = SplitFrames(
    validation=None,
    validation_known=None,
    test=TEST,
    test_known=None,
    history=TRAIN,
    in_train=None,
    users=None,
    items=None,
    n_users=3,
    digest="",
    identity="",
)
SEEN = "test: 2 of the 6 held-out pairs are of items that the user had interacted with before"


def note(frames: SplitFrames, part: str, k: int = 10, drop_seen: str = "true") -> str | None:
    keys = [f"evaluation.k={k}", f"evaluation.drop_seen={drop_seen}"]
    return repeat_note(frames, part, conf.build(conf.compose("train", keys)).evaluation)


@pytest.mark.parametrize(
    ("k", "recall"),
    [(10, (3 / 4 + 0 / 1 + 1 / 1) / 3), (2, (2 / 4 + 0 / 1 + 1 / 1) / 3)],
)
def test_recall_is_bounded_by_what_can_be_hit(k: int, recall: float) -> None:
    text = note(FRAMES, "test", k)
    assert text is not None
    assert text.startswith(
        f"{SEEN}, and evaluation.drop_seen=true never recommends those: at most 4/6 pairs can be "
        f"hit, and recall@{k}, a mean over users, is at most {recall:.4f}."
    )


def test_pairs_stay_in_reach_where_seen_items_do() -> None:
    assert note(FRAMES, "test", drop_seen="false") == (
        f"{SEEN}; evaluation.drop_seen=false lets them be recommended again"
    )


def test_nothing_is_reported_if_nothing_was_seen() -> None:
    new = replace(FRAMES, test=pl.DataFrame({"user_id": [1, 2], "item_id": [30, 30]}))
    assert note(new, "test") is None
    assert note(FRAMES, "validation") is None


def test_known_rows_and_validation_count_as_seen() -> None:
    later = pl.DataFrame({"user_id": [1], "item_id": [30]})
    known = pl.DataFrame({"user_id": [3], "item_id": [10]})
    frames = replace(FRAMES, history=pl.concat([TRAIN, later]), test_known=known)
    text = note(frames, "test")
    assert text is not None
    assert text.startswith("test: 4 of the 6 held-out pairs")
    held = replace(FRAMES, validation=pl.DataFrame({"user_id": [2], "item_id": [20]}))
    text = note(held, "validation")
    assert text is not None
    assert "validation: 1 of the 1" in text
    assert "is at most 0.0000" in text
