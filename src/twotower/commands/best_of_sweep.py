"""The run of a sweep that validation chose."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from twotower.core.errors import RunNotFoundError
from twotower.tracking.load import FoundRun, find_sweep, find_trials
from twotower.tracking.tags import KEPT, MODEL_TAG, MONITOR_TAG
from twotower.types.metric_name import MetricName

__all__ = ["best_run"]

_SETTING = "trial.setting"


def best_run(uri: str, experiment_name: str, sweep: str) -> str:
    """Return the id of the best run of a sweep that kept its model.

    The setting with the highest mean of its monitor on validation is chosen, and of its repeats the
    first that has a model: repeats are averaged, not ranked.

    Raises:
        RunNotFoundError: There is no such sweep, or none of its best setting has a model.
    """
    parent = find_sweep(uri, experiment_name, sweep)
    settings: dict[str, list[FoundRun]] = {}
    for trial in find_trials(uri, parent.id):
        settings.setdefault(trial.tags.get(_SETTING, trial.id), []).append(trial)
    if not settings:
        raise RunNotFoundError(f"Sweep {parent.id} ({parent.name}) has no finished trial.")
    best = max(settings.values(), key=_mean)
    kept = [trial for trial in best if trial.tags.get(MODEL_TAG, KEPT) == KEPT]
    if not kept:
        raise RunNotFoundError(
            f"The best setting of sweep {parent.id} ({parent.name}), {best[0].name}, has no model: "
            f"{best[0].tags[MODEL_TAG]}."
        )
    return kept[0].id


def _mean(trials: Sequence[FoundRun]) -> float:
    """Return the mean of the metric that the runs are chosen by, on validation."""
    name = str(MetricName.parse(trials[0].tags[MONITOR_TAG]).on("val"))
    return fmean(trial.metrics[name] for trial in trials)
