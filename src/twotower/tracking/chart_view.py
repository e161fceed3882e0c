"""A saved view of MLflow's page of runs: its columns, and the charts that compare runs.

The page reads a view from a tag of the experiment in the UI's own format, packed JSON of its state.
This is not a public interface of MLflow. All of it is in this file, and links use it only with the
version of MLflow that it is tested with; see `knows_views`.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from colorsys import hls_to_rgb
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import requests

from twotower.types.metric_name import MetricName

__all__ = ["COLOR_TAG", "OVERVIEW", "VIEW_TAG", "View", "chart_view", "color", "knows_views"]

COLOR_TAG = "mlflow.runColor"
VIEW_TAG = "mlflow.sharedViewState."  # followed by the key that a link names
OVERVIEW = "twotower"  # the key of the view of a whole experiment
_TESTED = "3.17."
_SECONDS = 2
_MOST_RUNS = 100  # that a chart shows by default
_SCATTERS = 4  # params that get a scatter chart each
_ATTRIBUTES = ("Dataset", "Models")
_KEPT = {"deleted": False, "isGenerated": False}
_NAME, _CREATED, _DURATION = "attributes.`Run Name`", "runDateAndNestInfo", "duration"
# Twenty colours that are easy to tell apart; further ones are spread over the colour wheel.
_COLORS = (
    *("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#e377c2"),
    *("#bcbd22", "#393b79", "#e6550d", "#31a354", "#756bb1", "#636363", "#843c39", "#5ab4d6"),
    *("#c49c00", "#ad494a", "#7b4173", "#006d5b"),
)
_GOLDEN = 0.61803398875


@dataclass(frozen=True)
class View:
    """What a view compares.

    Attributes:
        params: Names of the params that vary: columns and axes.
        metrics: Names such as `val/ndcg_at_10`; runs are ordered by the first.
        parent_id: A sweep's run, to show its trials only; None for all runs of the experiment.
    """

    params: Sequence[str]
    metrics: Sequence[str]
    parent_id: str | None = None


def knows_views(server: str | None = None) -> bool:
    """Return whether the UI has the version that views are made for: the UI of the tracking server
    at the address `server`, or the installed one."""
    if server is None:
        return version("mlflow").startswith(_TESTED)
    try:
        answer = requests.get(f"{server.rstrip('/')}/version", timeout=_SECONDS)
    except requests.RequestException:
        return False
    return answer.text.strip().startswith(_TESTED)


def color(number: int) -> str:
    """Return the colour of run `number`, counted from 0. No two runs have the same."""
    if number < len(_COLORS):
        return _COLORS[number]
    further = number - len(_COLORS)
    hue, step = (further * _GOLDEN) % 1, further % 3
    channels = hls_to_rgb(hue, 0.36 + 0.11 * step, 0.55 + 0.15 * ((further // 3) % 3))
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def chart_view(view: View) -> str:
    """Return the value of the tag."""
    names = [MetricName.parse(metric) for metric in view.metrics]
    tested = [str(name.on("test")) for name in names]
    baselines = [str(name.on("baseline")) for name in names]
    shown = list(dict.fromkeys([*view.metrics, *tested]))
    sections = {
        "Validation": [_curve(metric) for metric in view.metrics],
        "Loss": [_curve(metric) for metric in ("val/loss", "train/loss")],
        "What varies": _of_params(view.params, view.metrics[0]),
        "Test": [
            {**_chart("BAR", metric), "metricKey": metric} for metric in (*tested, *baselines[:1])
        ],
    }
    charts = [
        {**chart, "metricSectionId": name, "uuid": f"{name}-{chart['displayName']}"}
        for name, of_section in sections.items()
        for chart in of_section
    ]
    state = {
        **_order(view),
        **_columns(view.params, shown),
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": charts,
        "compareRunSections": [
            {"uuid": name, "name": name, "display": True, "isReordered": False, **_KEPT}
            for name, of_section in sections.items()
            if of_section
        ],
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {
            "xAxisKey": "step",
            "lineSmoothness": 0,
            "selectedXAxisMetricKey": "",
        },
    }
    packed = zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 9)
    return "deflate;" + base64.b64encode(packed).decode()


def _columns(params: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    """Params that vary, then metrics, then attributes that many runs share."""
    of_params = [f"params.`{name}`" for name in params]
    of_metrics = [f"metrics.`{name}`" for name in metrics]
    attributes = [f"attributes.`{name}`" for name in _ATTRIBUTES]
    return {
        "selectedColumns": [*of_params, *of_metrics, *attributes],
        "columnOrder": [_NAME, _CREATED, *of_params, *of_metrics, _DURATION, *attributes],
        "columnWidths": {
            _NAME: 250,
            **dict.fromkeys(of_params, 110),
            **dict.fromkeys(of_metrics, 130),
            **dict.fromkeys(attributes, 170),
        },
    }


def _order(view: View) -> dict[str, Any]:
    """Order by a metric: in an unsorted table, trials are collapsed under their sweep."""
    of_parent = f"tags.`mlflow.parentRunId` = '{view.parent_id}'"
    return {
        "searchFilter": of_parent if view.parent_id is not None else "",
        "orderByKey": f"metrics.`{view.metrics[0]}`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
    }


def _of_params(params: Sequence[str], metric: str) -> list[dict[str, Any]]:
    parallel = {
        **_chart("PARALLEL", f"What varies, and {metric}"),
        "selectedParams": list(params),
        "selectedMetrics": [metric],
        "showAllRuns": True,
    }
    scatters = [
        {
            **_chart("SCATTER", f"{metric} by {param}"),
            "xaxis": {"key": param, "type": "PARAM"},
            "yaxis": {"key": metric, "type": "METRIC"},
        }
        for param in params[:_SCATTERS]
    ]
    return [parallel, *scatters] if params else []


def _curve(metric: str) -> dict[str, Any]:
    return {
        **_chart("LINE", metric),
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "lineSmoothness": 0,
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "range": {},
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }


def _chart(kind: str, name: str) -> dict[str, Any]:
    return {"type": kind, "displayName": name, "runsCountToCompare": _MOST_RUNS, **_KEPT}
