"""A saved view of MLflow's charts page: the trials of a sweep, and what they are compared by.

The page reads a view from a tag of the experiment, in the UI's own format: packed JSON of its
state. A page of another version that does not know it shows its usual charts.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

__all__ = ["VIEW_TAG", "chart_view"]

VIEW_TAG = "mlflow.sharedViewState."  # and then the key that an address names it by
_SECTION = "sweep"
_FEW = 10  # runs that a chart shows before it is asked for more


def chart_view(parent_id: str, params: Sequence[str], metrics: Sequence[str]) -> str:
    """The value of the tag: trials below `parent_id`, ordered by the first of `metrics`.

    Parallel coordinates from `params` to that metric come first, then a curve for each metric.
    """
    charts = [_parallel(params, metrics[0]), *map(_curve, metrics)] if params else []
    state = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{parent_id}'",
        "orderByKey": f"metrics.`{metrics[0]}`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": ["attributes.`Source`"],
        "columnOrder": [],
        "columnWidths": {},
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": charts or list(map(_curve, metrics)),
        "compareRunSections": [
            {
                "uuid": _SECTION,
                "name": "Sweep",
                "display": True,
                "isReordered": False,
                "deleted": False,
                "isGenerated": False,
            }
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


def _parallel(params: Sequence[str], metric: str) -> dict[str, Any]:
    return {
        **_chart("PARALLEL", "parallel"),
        "displayName": f"What varies, and {metric}",
        "selectedParams": list(params),
        "selectedMetrics": [metric],
        "showAllRuns": True,
    }


def _curve(metric: str) -> dict[str, Any]:
    return {
        **_chart("LINE", metric),
        "displayName": metric,
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
    return {
        "uuid": f"{_SECTION}-{name}",
        "type": kind,
        "runsCountToCompare": _FEW,
        "metricSectionId": _SECTION,
        "deleted": False,
        "isGenerated": False,
    }
