"""Metrics by the names that people know."""

from __future__ import annotations

import pytest

from twotower.evaluation.metrics import METRICS
from twotower.types.metric_names import metric_title


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("ndcg_at_10", "NDCG@10"),
        ("val/hitrate_at_5", "HitRate@5"),
        ("test/map_at_20", "MAP@20"),
        ("baseline/item_knn/coverage_at_10", "Coverage@10"),
        ("val/loss", "Validation loss"),
        ("model/parameters", "Parameters"),
        ("train/seconds", "Train seconds"),
        ("train/own_measure", "Own measure"),
    ],
)
def test_a_title_says_metric_and_depth(name: str, title: str) -> None:
    assert metric_title(name) == title


def test_every_metric_has_its_own_title() -> None:
    titles = {metric_title(f"val/{name}_at_10") for name in METRICS}
    assert len(titles) == len(METRICS)
    assert all(title.endswith("@10") and title[0].isupper() for title in titles)
