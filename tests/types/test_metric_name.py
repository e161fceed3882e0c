"""Metrics by the names that people know."""

from __future__ import annotations

import pytest

from twotower.evaluation.metrics import METRICS
from twotower.types.metric_name import MetricName


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
def test_a_title_names_metric_and_depth(name: str, title: str) -> None:
    assert MetricName.parse(name).title == title


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("ndcg_at_10", MetricName("ndcg", 10)),
        ("val/loss", MetricName("loss", part="val")),
        ("val_baseline/item_knn/map_at_5", MetricName("map", 5, "val_baseline", "item_knn")),
        ("train/refit/loss", MetricName("loss", part="train", model="refit")),
        ("test/ndcg_at_all_at_3", MetricName("ndcg_at_all", 3, "test")),
        ("ndcg_at_010", MetricName("ndcg_at_010")),
        ("/a//b", MetricName("b", part="", model="a/")),
    ],
)
def test_a_name_is_parsed_and_rendered_unchanged(name: str, parsed: MetricName) -> None:
    assert MetricName.parse(name) == parsed
    assert str(parsed) == name


def test_a_metric_moves_to_another_part_without_its_model() -> None:
    name = MetricName.parse("baseline/item_knn/ndcg_at_10")
    assert str(name.on("test")) == "test/ndcg_at_10"
    assert str(name.on("val_baseline", "ease")) == "val_baseline/ease/ndcg_at_10"
    assert name.bare == "ndcg_at_10"


def test_every_metric_has_its_own_title() -> None:
    titles = {MetricName.parse(f"val/{name}_at_10").title for name in METRICS}
    assert len(titles) == len(METRICS)
    assert all(title.endswith("@10") and title[0].isupper() for title in titles)
