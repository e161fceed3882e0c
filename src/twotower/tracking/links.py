"""Addresses inside the MLflow UI, whose `base` is for instance http://127.0.0.1:5000."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote, urlsplit, urlunsplit


def run_url(base: str, experiment_id: str, run_id: str) -> str:
    """The page of one run, in the UI's part for model training."""
    page = f"{_root(base)}/#/experiments/{experiment_id}/runs/{run_id}"
    return f"{page}?workflowType=machine_learning"


def charts_url(base: str, experiment_id: str, metric: str) -> str:
    """The charts of an experiment, best `metric` first.

    The order is what makes runs under a parent show: until something sorts the table, they are
    folded in and missing from the charts.
    """
    order = quote(f"metrics.`{metric}`", safe="")
    return (
        f"{_root(base)}/#/experiments/{experiment_id}/runs?workflowType=machine_learning"
        f"&compareRunsMode=CHART&orderByKey={order}&orderByAsc=false"
    )


def view_url(base: str, experiment_id: str, key: str, *, charts: bool = True) -> str:
    """The runs of an experiment in the view that is saved under `key`, see `chart_view`: its
    charts, or else its table.

    Any other parameter of order or search would put the view aside.
    """
    mode = "&compareRunsMode=CHART" if charts else ""
    return (
        f"{_root(base)}/#/experiments/{experiment_id}/runs?workflowType=machine_learning"
        f"{mode}&viewStateShareKey={key}"
    )


def compare_url(base: str, experiment_id: str, run_ids: Sequence[str]) -> str:
    """The page that sets runs side by side."""
    runs = quote(json.dumps(list(run_ids), separators=(",", ":")), safe="")
    experiments = quote(json.dumps([experiment_id]), safe="")
    return (
        f"{_root(base)}/#/compare-runs?runs={runs}&experiments={experiments}"
        "&workflowType=machine_learning"
    )


def _root(base: str) -> str:
    """`base` without a closing slash and without credentials: links are printed and shared."""
    scheme, host, path, _, _ = urlsplit(base)
    return urlunsplit((scheme, host.rpartition("@")[2], path.rstrip("/"), "", ""))
