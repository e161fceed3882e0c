"""Links into the MLflow UI, whose `base` is an address such as http://127.0.0.1:5000."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote, urlsplit, urlunsplit

_TRAINING = "workflowType=machine_learning"  # the UI's section for model training


def run_url(base: str, experiment_id: str, run_id: str) -> str:
    """Return the link to a run."""
    return f"{_root(base)}/#/experiments/{experiment_id}/runs/{run_id}?{_TRAINING}"


def charts_url(base: str, experiment_id: str, metric: str) -> str:
    """Return the link to the charts of an experiment, best `metric` first.

    Sorting makes child runs visible: in an unsorted table they are collapsed and absent from the
    charts.
    """
    order = quote(f"metrics.`{metric}`", safe="")
    query = f"compareRunsMode=CHART&orderByKey={order}&orderByAsc=false"
    return f"{_root(base)}/#/experiments/{experiment_id}/runs?{_TRAINING}&{query}"


def view_url(base: str, experiment_id: str, key: str, *, charts: bool = True) -> str:
    """Return the link to the runs of an experiment in the view saved under `key`, see `chart_view`:
    its charts, or else its table.

    The link has no order or search of its own, which would override the view.
    """
    query = f"{'compareRunsMode=CHART&' if charts else ''}viewStateShareKey={key}"
    return f"{_root(base)}/#/experiments/{experiment_id}/runs?{_TRAINING}&{query}"


def compare_url(base: str, experiment_id: str, run_ids: Sequence[str]) -> str:
    """Return the link to the page that compares runs."""
    runs = quote(json.dumps(list(run_ids), separators=(",", ":")), safe="")
    experiments = quote(json.dumps([experiment_id]), safe="")
    return f"{_root(base)}/#/compare-runs?runs={runs}&experiments={experiments}&{_TRAINING}"


def _root(base: str) -> str:
    """Return `base` without trailing slash and credentials, since links are printed and shared."""
    scheme, host, path, _, _ = urlsplit(base)
    return urlunsplit((scheme, host.rpartition("@")[2], path.rstrip("/"), "", ""))
