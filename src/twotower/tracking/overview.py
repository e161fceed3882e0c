"""The saved view of a whole experiment, kept up to date with its runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from twotower.tracking.chart_view import COLOR_TAG, OVERVIEW, VIEW_TAG, View, chart_view, color
from twotower.types.metric_name import MetricName, headline_metrics

__all__ = ["MAX_VIEW", "refresh_overview"]

MAX_VIEW = 5000  # characters of a tag that every database can store
_RUNS = 200  # the newest ones, which set columns and colours
_ALWAYS = ("emb_dim", "num_negatives")
_FIRST = ("dataset", "split", "tower", "encoder", "negative_sampling", "loss", "lr", "batch_size")
_MOST_PARAMS = 12
_NOTHING_OF_THE_MODEL = ("metrics", "by", "confidence", "monitor", "accelerator", "devices")


def refresh_overview(client: MlflowClient, experiment_id: str, monitor: str) -> None:
    """Save the view whose columns are the params that vary between the newest runs.

    It depends on the store alone, so that concurrent writers agree. An unchanged view is not
    written.

    Args:
        monitor: The metric to order by, such as `val/ndcg_at_10`. If no run has it, the same metric
            at another K or on the test part is used.
    """
    runs = list(
        client.search_runs(
            [experiment_id], "", ViewType.ACTIVE_ONLY, _RUNS, ["attributes.start_time DESC"]
        )
    )
    known = {name for run in runs for name in run.data.metrics}
    monitor = _known(monitor, known)
    metrics = list(dict.fromkeys([monitor, *headline_metrics(known, monitor)]))
    params = _varying([run.data.params for run in runs])
    while len(view := chart_view(View(params, metrics))) > MAX_VIEW and params:
        params = params[:-1]
    key = f"{VIEW_TAG}{OVERVIEW}"
    if client.get_experiment(experiment_id).tags.get(key) != view:
        client.set_experiment_tag(experiment_id, key, view)
    _paint(client, runs)


def _known(monitor: str, known: set[str]) -> str:
    if monitor in known:
        return monitor
    watched = MetricName.parse(monitor)
    parsed = {name: MetricName.parse(name) for name in sorted(known)}
    for wanted in (watched, watched.on("test")):
        for name, other in parsed.items():
            if replace(other, k=wanted.k) == wanted:
                return name
    return monitor


def _varying(params: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the names of params that vary, the most important ones first.

    A param that only some runs have, because only some choices have it, varies too.
    """
    names = dict.fromkeys(name for of_run in params for name in of_run)
    of_models = [of_run for of_run in params if "tower" in of_run]  # not of baselines and sweeps
    varied = [
        name
        for name in names
        if name not in _NOTHING_OF_THE_MODEL
        and len({of_run[name] for of_run in of_models if name in of_run}) > 1
    ]
    first = [name for name in (*_ALWAYS, *_FIRST) if name in varied]
    always = [name for name in _ALWAYS if name in names]
    return list(dict.fromkeys([*first, *always, *varied]))[:_MOST_PARAMS]


def _paint(client: MlflowClient, runs: Sequence[Run]) -> None:
    """Give each run without a colour one that no other of `runs` has."""
    taken = {run.data.tags.get(COLOR_TAG) for run in runs}
    free = (found for number in itertools.count() if (found := color(number)) not in taken)
    for run in reversed(runs):
        if COLOR_TAG not in run.data.tags:
            client.set_tag(run.info.run_id, COLOR_TAG, next(free))
