"""Items that features alone describe compete where cold items are not dropped."""

from __future__ import annotations

import polars as pl
import pytest
from case_runner import Case


@pytest.mark.parametrize(("drop_cold_items", "n_items"), [("false", 35), ("true", 30)])
def test_what_features_describe_competes_unless_cold_items_drop(
    case: Case, drop_cold_items: str, n_items: int
) -> None:
    text = case.train(
        "dataset.path=base.csv",
        "dataset.items_path=items_new.csv",
        "tower=features",
        f"split.drop_cold_items={drop_cold_items}",
    ).text
    assert "30 of 30 items have features; features of 5 others are known" in " ".join(text.split())
    case.call("recommend", "k=40", "drop_seen=false", "out=rec.csv", "output_dir=out")
    per_user = pl.read_csv("rec.csv").group_by("user_id").len()["len"]
    assert per_user.unique().to_list() == [n_items]
