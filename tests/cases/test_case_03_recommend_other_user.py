"""Ids on the command line are what was typed."""

from __future__ import annotations

import polars as pl
import pytest
from case_runner import Case

HERE = ("k=3", "out=rec.csv", "output_dir=out")


def served(case: Case, users: str) -> list[str]:
    case.call("recommend", users, *HERE)
    lists = pl.read_csv("rec.csv", infer_schema=False)
    return lists["user_id"].unique(maintain_order=True).to_list()


def test_an_id_that_looks_like_a_number_is_served_as_it_is_written(case: Case) -> None:
    case.train("dataset.path=shop_user.csv")
    assert served(case, "users=[2_1]") == ["2_1"]
    typed = pl.read_csv("rec.csv")
    assert served(case, 'users=["2_1"]') == ["2_1"]
    assert pl.read_csv("rec.csv").equals(typed)
    assert served(case, "users=[21,2_1]") == ["21", "2_1"]
    assert served(case, "users=21") == ["21"]
    assert served(case, "users=[ 21 , 112.0]") == ["21", "112"]
    for unknown in ("021", "2e1", "null", "true", "'2,1'", "2=1", "[21]"):
        text = case.call("recommend", f"users=[{unknown}]", *HERE, code=1).text
        bare = unknown.strip("'")
        assert f"1 of 1 are not among the 60 users that the model knows, the first is '{bare}'" in (
            " ".join(text.split())
        ) or f"got '{bare}', which is no id" in " ".join(text.split())


@pytest.mark.parametrize("k", ["0", "-1", "ten"])
def test_a_wrong_k_is_named(case: Case, k: str) -> None:
    assert "k: " in case.call("recommend", f"k={k}", *HERE[1:], code=1).text
