"""Which metrics tables show, and in which direction."""

from __future__ import annotations

from rich.console import Console

from twotower.config import compose
from twotower.reporting.metric_table import metric_table
from twotower.types.metric_name import DEFAULT, shown_metrics


def test_what_is_asked_for_is_shown_at_every_k_the_monitor_first() -> None:
    known = ["recall_at_5", "recall_at_10", "ndcg_at_5", "ndcg_at_10"]
    assert shown_metrics(known, "ndcg_at_5") == [
        "ndcg_at_5",
        "recall_at_5",
        "recall_at_10",
        "ndcg_at_10",
    ]
    val = [*(f"val/{name}" for name in known), "test/map_at_5", "val/loss"]
    assert shown_metrics(val, "val/recall_at_10")[0] == "val/recall_at_10"
    assert len(shown_metrics(val, "val/recall_at_10")) == 4


def test_of_the_default_list_the_usual_three_are_shown() -> None:
    metrics = compose("train", [])["evaluation"]["metrics"]
    assert frozenset(metrics) == DEFAULT
    for measured in (metrics, [*metrics, "novelty"]):
        known = [f"{name}_at_{k}" for name in measured for k in (5, 10)]
        assert shown_metrics(known, "map_at_5") == [
            "map_at_5",
            *(f"{name}_at_{k}" for name in ("ndcg", "hitrate", "coverage") for k in (5, 10)),
        ]


def lines(n_metrics: int) -> list[list[str]]:
    metrics = [f"recall_at_{k}" for k in range(1, n_metrics + 1)]
    models = [("a b", dict.fromkeys(metrics, "0.1 ± 0.01")), ("c", dict.fromkeys(metrics, "0.2"))]
    console = Console(width=100, record=True)
    with console.capture() as captured:
        console.print(metric_table("title", models, metrics))
    return [line.split() for line in captured.get().splitlines() if line.strip(" ─")]


def test_few_metrics_are_columns_and_many_are_lines() -> None:
    assert lines(2)[1] == ["Recall@1", "Recall@2"]
    assert lines(2)[2][:3] == ["a", "b", "0.1"]
    assert lines(5)[1] == ["a", "b", "c"]
    assert [line[0] for line in lines(5)[2:]] == [f"Recall@{k}" for k in range(1, 6)]
