"""The command and the links that open runs in the MLflow UI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twotower import config as conf
from twotower.core.secrets import mask
from twotower.tracking.chart_view import OVERVIEW, knows_views
from twotower.tracking.links import charts_url, compare_url, run_url, view_url
from twotower.types.metric_name import MetricName

__all__ = ["sweep_links", "where_to_look"]

_COMPARED = 30  # runs; with more, the address is too long for browsers


def where_to_look(
    config: Mapping[str, Any], experiment_id: str | None, run_id: str | None
) -> list[str]:
    """Return the command and the links that open a run; empty without tracking."""
    if experiment_id is None or run_id is None:
        return []
    command, base = _ui(config)
    lines = [f"open     {command}", f"then     {run_url(base, experiment_id, run_id)}"]
    return [*lines, f"runs     {_view(config, base, experiment_id, OVERVIEW, charts=False)}"]


def sweep_links(
    config: Mapping[str, Any],
    experiment_id: str | None,
    parent_id: str | None,
    run_ids: Sequence[str],
) -> dict[str, str]:
    """Return what opens a sweep in the UI; empty without tracking.

    A command opens the UI. Links open the trials side by side (the first of very many), their
    charts and table in the view saved with the sweep, and the run of the sweep.
    """
    if experiment_id is None or parent_id is None:
        return {}
    command, base = _ui(config)
    return {
        "open": command,
        "compare": compare_url(base, experiment_id, run_ids[:_COMPARED]),
        "charts": _view(config, base, experiment_id, parent_id),
        "table": _view(config, base, experiment_id, parent_id, charts=False),
        "sweep": run_url(base, experiment_id, parent_id),
    }


def _view(
    config: Mapping[str, Any], base: str, experiment_id: str, key: str, *, charts: bool = True
) -> str:
    """Return the saved view; charts by the monitor if the version of the UI does not know views."""
    uri = str(config["tracking"]["uri"])
    if knows_views(uri if uri.startswith("http") else None):
        return view_url(base, experiment_id, key, charts=charts)
    metric, k = config["evaluation"]["monitor"], config["evaluation"]["k"]
    monitor = MetricName(metric, k[0] if isinstance(k, list) else k, "val")
    return charts_url(base, experiment_id, str(monitor))


def _ui(config: Mapping[str, Any]) -> tuple[str, str]:
    """Return `twotower ui` with overrides that select the store of `config`, and its address."""
    here = [_override("output_dir", config["output_dir"])]
    ui, tracking = conf.compose("ui", here), config["tracking"]
    needed = [] if conf.compose("ui", []) == ui else here
    base = f"http://{ui['host']}:{ui['port']}"
    if tracking["uri"].startswith("http"):
        needed.append("tracking=server")
        base = mask(tracking["uri"])
    for key in ("uri", "experiment_name"):
        if tracking[key] != ui["tracking"][key]:
            needed.append(_override(f"tracking.{key}", mask(tracking[key])))
    return conf.command("ui", *needed), base


def _override(key: str, value: Any) -> str:
    return conf.render(key, conf.literal(value))
