"""Test pairs that the train file holds are counted, and recall is bounded by the others."""

from __future__ import annotations

from case_runner import Case

FILES = ("split=given", "dataset.path=g_train.csv", "dataset.test_path=g_test_rep.csv")
SEEN = "test: 46 of the 66 held-out pairs are of items that the user had interacted with before"


def test_pairs_out_of_reach_are_counted(case: Case) -> None:
    text = " ".join(case.train(*FILES).text.split())
    assert SEEN in text
    assert (
        "evaluation.drop_seen=true never recommends those: at most 20/66 pairs can be hit, and "
        "recall@10, a mean over users, is at most 0.1583." in text
    )
    assert "test: 40 of 40 users and 24 of 24 items are in the log" in text


def test_they_are_in_reach_where_seen_items_stay(case: Case) -> None:
    text = " ".join(case.train(*FILES, "evaluation.drop_seen=false").text.split())
    assert f"{SEEN}; evaluation.drop_seen=false lets them be recommended again" in text
    assert "can be hit" not in text


def test_they_can_be_left_out(case: Case) -> None:
    text = " ".join(case.train(*FILES, "split.drop_repeats=true").text.split())
    assert "held-out pairs are of items" not in text
    assert "20 test" in text
