"""The view of an experiment follows from the runs in its store."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from mlflow import MlflowClient

from twotower.tracking.chart_view import View, chart_view, color
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.overview import refresh_overview
from twotower.tracking.store import open_store

TOWER = {"_target_": "twotower.tower.embedding.EmbeddingTower"}


def unpacked(tag: str) -> dict[str, Any]:
    kind, packed = tag.split(";")
    assert kind == "deflate"
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return state


def saved(tracking: MlflowTracking) -> dict[str, Any]:
    tags = open_store(tracking.uri).get_experiment(tracking.experiment_id).tags
    return unpacked(tags["mlflow.sharedViewState.twotower"])


def add(tracking: MlflowTracking, ndcg: float | None, **values: Any) -> str:
    config = {"tower": {**TOWER, **values}, "negative_sampling": {"num_negatives": 5}}
    with tracking.run(name="a run", config=config, tags={}) as run:
        run.log_metrics({} if ndcg is None else {"val/ndcg_at_10": ndcg, "val/coverage_at_10": 0.5})
        assert run.id is not None
    return run.id


def test_columns_are_varying_params_and_headline_metrics(tracking: MlflowTracking) -> None:
    add(tracking, 0.1, emb_dim=8, init_std=0.1)
    add(tracking, 0.2, emb_dim=16, init_std=0.1)
    client = open_store(tracking.uri)
    refresh_overview(client, tracking.experiment_id, "val/ndcg_at_10")
    state = saved(tracking)
    assert state["selectedColumns"][:6] == [
        "params.`emb_dim`",
        "params.`num_negatives`",  # always
        "metrics.`val/ndcg_at_10`",
        "metrics.`val/coverage_at_10`",
        "metrics.`test/ndcg_at_10`",
        "metrics.`test/coverage_at_10`",
    ]
    assert state["orderByKey"] == "metrics.`val/ndcg_at_10`"
    assert state["searchFilter"] == ""
    add(tracking, 0.3, emb_dim=16, init_std=1.0)
    refresh_overview(client, tracking.experiment_id, "val/ndcg_at_10")
    assert "params.`init_std`" in saved(tracking)["selectedColumns"]


@pytest.mark.parametrize("depth", [5, 10])
def test_another_k_is_shown_if_no_run_has_the_monitor(tracking: MlflowTracking, depth: int) -> None:
    add(tracking, 0.1, emb_dim=8)
    refresh_overview(open_store(tracking.uri), tracking.experiment_id, f"val/ndcg_at_{depth}")
    assert saved(tracking)["orderByKey"] == "metrics.`val/ndcg_at_10`"


def test_runs_keep_their_colour_and_no_two_share_one(tracking: MlflowTracking) -> None:
    client = open_store(tracking.uri)

    def colors(ids: list[str]) -> list[str]:
        refresh_overview(client, tracking.experiment_id, "val/ndcg_at_10")
        return [client.get_run(run_id).data.tags["mlflow.runColor"] for run_id in ids]

    ids = [add(tracking, 0.1, emb_dim=8) for _ in range(2)]
    first = colors(ids)
    ids.append(add(tracking, None))
    second = colors(ids)
    assert second[:2] == first
    assert len(set(second)) == 3


def test_colours_are_distinct() -> None:
    assert len({color(number) for number in range(100)}) == 100
    assert all(len(color(number)) == 7 for number in range(100))


def test_an_unchanged_view_is_not_written(
    tracking: MlflowTracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tracking, 0.1, emb_dim=8)
    client = open_store(tracking.uri)
    refresh_overview(client, tracking.experiment_id, "val/ndcg_at_10")

    def refuse(*_: object) -> None:
        raise AssertionError("written again")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuse)
    monkeypatch.setattr(MlflowClient, "set_tag", refuse)
    refresh_overview(client, tracking.experiment_id, "val/ndcg_at_10")


def test_a_sweeps_view_shows_its_trials_and_charts_in_order() -> None:
    metrics = ["val/ndcg_at_10", "val/hitrate_at_10", "val/coverage_at_10"]
    state = unpacked(chart_view(View(["emb_dim", "lr"], metrics, parent_id="abc")))
    assert state["searchFilter"] == "tags.`mlflow.parentRunId` = 'abc'"
    kinds = [(chart["type"], chart["metricSectionId"]) for chart in state["compareRunCharts"]]
    assert kinds == [
        *[("LINE", "Validation")] * 3,
        *[("LINE", "Loss")] * 2,
        ("PARALLEL", "What varies"),
        *[("SCATTER", "What varies")] * 2,
        *[("BAR", "Test")] * 4,
    ]
    assert [chart["displayName"] for chart in state["compareRunCharts"]][:3] == metrics
    assert len(chart_view(View([f"p{n}" for n in range(12)], metrics))) < 5000
