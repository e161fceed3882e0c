from __future__ import annotations

from twotower.tracking.links import charts_url, compare_url, run_url


def test_run_url() -> None:
    assert run_url("http://127.0.0.1:5000/", "1", "abc") == (
        "http://127.0.0.1:5000/#/experiments/1/runs/abc?workflowType=machine_learning"
    )


def test_charts_are_ordered_by_the_metric() -> None:
    assert charts_url("http://127.0.0.1:5000", "1", "test/ndcg_at_10") == (
        "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning"
        "&compareRunsMode=CHART&orderByKey=metrics.%60test%2Fndcg_at_10%60&orderByAsc=false"
    )


def test_compare_url() -> None:
    assert compare_url("https://host/mlflow/", "1", ["a", "b"]) == (
        "https://host/mlflow/#/compare-runs?runs=%5B%22a%22%2C%22b%22%5D&experiments=%5B%221%22%5D"
        "&workflowType=machine_learning"
    )


def test_links_carry_no_password() -> None:
    assert run_url("https://me:pw@host", "1", "a").startswith("https://host/#/")
